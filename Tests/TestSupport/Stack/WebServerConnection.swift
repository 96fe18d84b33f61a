internal import HTTPTransport

/// A web server's side of FastCGI: one kept connection.
///
/// Source: <https://fastcgi-archives.github.io/FastCGI_Specification.html>
package final class WebServerConnection: Sendable {
  package let socket: LoopbackSocket

  package init(_ socket: LoopbackSocket) { self.socket = socket }

  package convenience init(unix path: String) throws { self.init(try .connect(unix: path)) }

  /// Asks, and waits for the whole answer.
  ///
  /// - Parameters:
  ///   - further: params whose names may be in `params` already.
  ///   - isKept: whether the connection is for more requests.
  package func ask(
    _ method: String = "GET", _ target: String, _ params: [String: String] = [:],
    further: [(String, String)] = [], isKept: Bool = true
  ) -> Answer? {
    begin(method, target, params, further: further, isKept: isKept)
    return finish()
  }

  package func begin(
    _ method: String = "GET", _ target: String, _ params: [String: String] = [:],
    further: [(String, String)] = [], isKept: Bool = true
  ) {
    var pairs = params
    pairs["REQUEST_METHOD"] = method
    pairs["REQUEST_URI"] = target
    var content: [UInt8] = []
    for (name, value) in pairs.map({ ($0, $1) }) + further {
      content += length(name.utf8.count) + length(value.utf8.count)
      content += Array(name.utf8) + Array(value.utf8)
    }
    socket.send(
      record(1, [0, 1, isKept ? 1 : 0, 0, 0, 0, 0, 0]) + record(4, content) + record(4, [])
        + record(5, []))
  }

  /// - Returns: `nil` when the connection ends before the answer does.
  package func finish() -> Answer? {
    var output: [UInt8] = []
    while let header = socket.receive(exactly: 8) {
      let count = Int(header[4]) << 8 | Int(header[5])
      guard let content = socket.receive(exactly: count + Int(header[6])) else { return nil }
      if header[1] == 6 { output += content[..<count] }
      if header[1] == 3 { return parse(output) }
    }
    return nil
  }

  private func parse(_ output: [UInt8]) -> Answer? {
    var end = 0
    while end + 4 <= output.count, !output[end..<(end + 4)].elementsEqual("\r\n\r\n".utf8) {
      end += 1
    }
    guard end + 4 <= output.count else { return nil }
    let fields = String(decoding: output[..<end], as: UTF8.self).split(separator: "\r\n").map {
      let parts = $0.split(separator: ":", maxSplits: 1)
      return HTTPField(String(parts[0]), String((parts.last ?? "").drop { $0 == " " }))
    }
    let status = fields.first(named: "status").flatMap { Int($0.text.prefix(3)) } ?? 200
    return Answer(
      status: status, fields: fields, body: Array(output[(end + 4)...]), isWhole: true)
  }

  private func record(_ type: UInt8, _ content: [UInt8]) -> [UInt8] {
    [1, type, 0, 1, UInt8(content.count >> 8), UInt8(content.count & 0xFF), 0, 0] + content
  }

  private func length(_ count: Int) -> [UInt8] {
    count < 128
      ? [UInt8(count)]
      : [
        UInt8(count >> 24 & 0x7F) | 0x80, UInt8(count >> 16 & 0xFF), UInt8(count >> 8 & 0xFF),
        UInt8(count & 0xFF),
      ]
  }
}
