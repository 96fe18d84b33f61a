import TestSupport
import Testing

@testable import FastCGI

struct ParsingTests {
  typealias Client = FastCGIClient
  private func isWhole(_ bytes: ArraySlice<UInt8>) -> Bool {
    RecordScanner.scan(bytes.span) == .whole
  }

  static let whole = Client.request([("A", "b")])

  @Test(arguments: [
    whole, Client.request([]), Client.request([("A", "b")], body: [1, 2, 3]), whole + whole,
    Client.request([], id: 0xFFFF), whole + [0xFF],
  ])
  func `a whole request is seen`(bytes: [UInt8]) {
    #expect(isWhole(bytes[...]))
  }

  @Test func `every cut of a request is not whole`() {
    for end in Self.whole.indices {
      #expect(!isWhole(Self.whole[..<end]))
    }
  }

  static let odd: [[UInt8]] = [
    Client.record(9), Client.record(9, id: 0) + whole, Client.record(5), Client.begin(),
    Client.begin() + Client.record(5), Client.begin() + Client.record(4) + Client.record(5, id: 2),
    // The params have no end.
    Client.begin() + Client.record(4, [1, 1, 65, 66]) + Client.record(5),
    Client.begin() + Client.record(4, id: 2) + Client.record(5), Client.begin() + whole,
    [2] + Array(whole.dropFirst()), [UInt8](repeating: 0xFF, count: 100),
    Array("GET / HTTP/1.1\r\n\r\n".utf8),
    [1, 1, 0, 1, 0xFF, 0xFF, 0xFF, 0], Client.begin() + Client.record(2),
  ]

  @Test(arguments: odd)
  func `anything out of the ordinary is not`(bytes: [UInt8]) {
    #expect(!isWhole(bytes[...]))
  }

  @Test(arguments: [
    (":7777", ListenAddress.tcp(host: "", port: 7777)), ("h:0", .tcp(host: "h", port: 0)),
    ("[::1]:9", .tcp(host: "::1", port: 9)), ("unix:/a/b", .unix(path: "/a/b")),
    (
      "unix:/" + String(repeating: "a", count: 94),
      .unix(path: "/" + String(repeating: "a", count: 94))
    ),
  ])
  func `an address is read`(text: String, address: ListenAddress) {
    #expect(ListenAddress(text) == address)
  }

  @Test(arguments: [
    "", "7777", ":", ":x", ":65536", ":-1", ":+80", "::1:9", "unix:", "unix:a", "unix:/a\0b",
    "unix:/" + String(repeating: "a", count: 95),
  ])
  func `another address is none`(text: String) { #expect(ListenAddress(text) == nil) }

  @Test func `a line end in a value takes its field away`() {
    var head = ResponseHead(status: 307)
    head.add("Location", "a\r\nX: y")
    head.add("B", "c")
    #expect(
      String(decoding: head.bytes(), as: UTF8.self)
        == "B: c\r\nStatus: 307 Temporary Redirect\r\n\r\n")
  }
}
