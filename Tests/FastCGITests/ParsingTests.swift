import Testing

@testable import FastCGI

struct ParsingTests {
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
    "", "7777", ":", ":x", ":65536", ":-1", ":+80", "::1:9", "[[]]:1", "a]:1", "unix:", "unix:a",
    "unix:/a\0b", "unix:/" + String(repeating: "a", count: 95),
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
