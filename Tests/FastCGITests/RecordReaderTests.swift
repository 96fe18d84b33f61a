import TestSupport
import Testing

@testable import FastCGI

struct RecordReaderTests {
  typealias Client = FastCGIClient

  /// What a reader says of bytes that come in pieces of this size, each event as a word.
  private func events(_ bytes: [UInt8], piece: Int = .max) -> [String] {
    var reader = RecordReader()
    var words: [String] = []
    var start = 0
    while start < bytes.count {
      let end = min(bytes.count, start + min(piece, bytes.count))
      let part = bytes[start..<end]
      var at = 0
      while let event = reader.next(part.span, &at) {
        words.append(word(event))
        if words.last == "broken" { return words }
        if words.last == "end" { reader.isAnswered = true }
      }
      start = end
    }
    return words
  }

  private func word(_ event: consuming RecordReader.Event) -> String {
    switch consume event {
    case .request(let start, let params):
      var words = ["request \(start.id) \(start.role) \(start.isConnectionKept)"]
      for prefix: StaticString in ["A", "B"] {
        prefix.withUTF8Buffer { prefix in
          unsafe params.forEach(prefix: prefix) { name, value in
            let name = name.indices.map { name[$0] }
            words.append("\(String(decoding: name, as: UTF8.self))=\(value.count)")
          }
        }
      }
      return words.joined(separator: " ")
    case .body: return "body"
    case .bodyEnd: return "end"
    case .abort: return "abort"
    case .values: return "values"
    case .unknownType(let type): return "unknown \(type)"
    case .secondRequest(let id): return "second \(id)"
    case .broken: return "broken"
    }
  }

  static let whole = Client.request([("A", "b")])

  static let sound: [([UInt8], [String])] = [
    (whole, ["request 1 1 true A=1", "end"]),
    (Client.request([]), ["request 1 1 true", "end"]),
    (Client.request([], keep: false), ["request 1 1 false", "end"]),
    (whole + whole, ["request 1 1 true A=1", "end", "request 1 1 true A=1", "end"]),
    (Client.request([], id: 0xFFFF), ["request 65535 1 true", "end"]),
    (
      Client.request([("A", String(repeating: "x", count: 300)), ("B", "")]),
      ["request 1 1 true A=300 B=0", "end"]
    ),
    (Client.record(9, id: 0) + whole, ["values", "request 1 1 true A=1", "end"]),
    (Client.record(77, [1], id: 0) + whole, ["unknown 77", "request 1 1 true A=1", "end"]),
    (Client.begin() + Client.record(2), ["abort"]),
    (Client.begin() + Client.begin(id: 2), ["second 2"]),
    // What is left of an answered request's body.
    (Client.record(5, [1]) + whole, ["request 1 1 true A=1", "end"]),
    // Padding is skipped.
    (
      [1, 1, 0, 1, 0, 8, 3, 0] + [0, 1, 1, 0, 0, 0, 0, 0] + [9, 9, 9] + Client.record(4)
        + Client.record(5), ["request 1 1 true", "end"]
    ),
  ]

  @Test(arguments: sound)
  func `records are read in whatever pieces they come`(bytes: [UInt8], want: [String]) {
    for piece in [.max, 1, 2, 3, 7, 8, 9, 16, 31] { #expect(events(bytes, piece: piece) == want) }
  }

  @Test func `a body counts as it comes`() {
    let bytes = Client.request([("A", "b")], body: [1, 2, 3])
    #expect(events(bytes) == ["request 1 1 true A=1", "body", "end"])
    #expect(events(bytes, piece: 1) == ["request 1 1 true A=1", "body", "body", "body", "end"])
  }

  @Test func `no cut of a request is a request with its body's end`() {
    for end in Self.whole.indices { #expect(!events(Array(Self.whole[..<end])).contains("end")) }
  }

  static let hostile: [[UInt8]] = [
    [2] + Array(whole.dropFirst()), [UInt8](repeating: 0xFF, count: 100),
    Array("GET / HTTP/1.1\r\n\r\n".utf8), Client.begin() + Client.record(5),
    Client.begin() + Client.record(4, id: 2), Client.record(4, [1, 1, 65, 66]),
    Client.begin() + Client.record(77), Client.record(1, [0, 1]),
    // Lengths that lead beyond the end, and those that add up to more than 32 bits.
    Client.begin() + Client.record(4, [5, 1, 65]) + Client.record(4),
    Client.begin() + Client.record(4, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 65])
      + Client.record(4),
    Client.begin() + Client.record(4, [0x80]) + Client.record(4),
    // A NUL within a value.
    Client.begin() + Client.record(4, [1, 3, 65, 1, 0, 1]) + Client.record(4),
    Client.record(9, [3, 0, 65], id: 0),
    Client.record(1, [UInt8](repeating: 1, count: 2000)),
  ]

  @Test(arguments: hostile)
  func `what no web server sends is broken`(bytes: [UInt8]) {
    #expect(events(bytes).last == "broken")
    #expect(events(bytes, piece: 1).last == "broken")
  }

  @Test func `params have a bound`() {
    let part = Client.record(4, [UInt8](repeating: 1, count: 60_000))
    #expect(events(Client.begin() + part + part + part + part + part).last == "broken")
  }

  @Test func `every param is found, the first of duplicates, and no other`() throws {
    let pairs = (0..<100).map { ("NAME_\($0)", "value \($0)") } + [("NAME_7", "other"), ("", "x")]
    var encoded: [UInt8] = []
    for (name, value) in pairs {
      encoded.append(length: name.utf8.count)
      encoded.append(length: value.utf8.count)
      encoded += Array(name.utf8) + Array(value.utf8)
    }
    guard let params = Params(encoded: encoded) else { throw RecordError() }
    func value(_ name: String) -> String? {
      let name = Array(name.utf8)
      return unsafe name.withUnsafeBufferPointer { name in
        unsafe params.value(of: name).map { String(decoding: params.bytes[$0], as: UTF8.self) }
      }
    }
    for i in 0..<100 { #expect(value("NAME_\(i)") == "value \(i)") }
    for name in ["", "NAME_", "NAME_100", "AME_1", "NAME_1=", "name_1"] {
      #expect(value(name) == nil)
    }
    #expect(params.count(of: "NAME_7") == 2)
    #expect(params.count(of: "NAME_99") == 1)
    #expect(params.count(of: "NAME_100") == 0)
  }
}

private struct RecordError: Error {}
