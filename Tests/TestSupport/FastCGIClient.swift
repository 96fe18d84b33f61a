/// A web server's end of a FastCGI connection.
package struct FastCGIClient: Sendable {
  package struct Record: Sendable, Equatable {
    package let type: UInt8
    package let content: [UInt8]

    package init(type: UInt8, content: [UInt8]) {
      self.type = type
      self.content = content
    }
  }

  package struct Answer: Sendable {
    package var records: [Record] = []
    /// Whether END_REQUEST came.
    package var isEnded: Bool { records.last?.type == 3 }
    package var output: [UInt8] { records.filter { $0.type == 6 }.flatMap(\.content) }
    package var text: String { String(decoding: output, as: UTF8.self) }
  }

  package let socket: TestSocket

  package init?(port: UInt16) {
    guard let socket = TestSocket(port: port) else { return nil }
    self.socket = socket
  }

  package init(_ socket: TestSocket) { self.socket = socket }

  package static func record(_ type: UInt8, _ content: [UInt8] = [], id: UInt16 = 1) -> [UInt8] {
    [
      1, type, UInt8(id >> 8), UInt8(id & 255), UInt8(content.count >> 8),
      UInt8(content.count & 255), 0, 0,
    ] + content
  }

  package static func begin(keep: Bool = true, id: UInt16 = 1) -> [UInt8] {
    record(1, [0, 1, keep ? 1 : 0, 0, 0, 0, 0, 0], id: id)
  }

  package static func request(
    _ params: [(String, String)], body: [UInt8] = [], keep: Bool = true, id: UInt16 = 1
  ) -> [UInt8] {
    var pairs: [UInt8] = []
    for (name, value) in params {
      for count in [name.utf8.count, value.utf8.count] {
        pairs +=
          count < 128
          ? [UInt8(count)]
          : [
            UInt8(count >> 24) | 128, UInt8(count >> 16 & 255), UInt8(count >> 8 & 255),
            UInt8(count & 255),
          ]
      }
      pairs += Array(name.utf8) + Array(value.utf8)
    }
    var bytes = begin(keep: keep, id: id) + record(4, pairs, id: id) + record(4, id: id)
    var at = 0
    while at < body.count {
      let end = min(body.count, at + 65_528)
      bytes += record(5, Array(body[at..<end]), id: id)
      at = end
    }
    return bytes + record(5, id: id)
  }

  /// Reads records until the request or the connection ends.
  package func answer() -> Answer {
    var answer = Answer()
    while let record = next() {
      answer.records.append(record)
      if record.type == 3 { break }
    }
    return answer
  }

  package func next() -> Record? {
    let header = socket.receive(exactly: 8)
    guard header.count == 8 else { return nil }
    let count = Int(header[4]) << 8 | Int(header[5])
    let content = socket.receive(exactly: count + Int(header[6]))
    guard content.count == count + Int(header[6]) else { return nil }
    return Record(type: header[1], content: Array(content.prefix(count)))
  }

  package func ask(_ path: String, keep: Bool = true) -> Answer {
    socket.send(Self.request([("REQUEST_METHOD", "GET"), ("REQUEST_URI", path)], keep: keep))
    return answer()
  }
}
