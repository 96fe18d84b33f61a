package import HTTPTransport
internal import Threading

/// An upstream that answers what no real registry would.
package final class FakeRegistry: Sendable {
  package struct Question: Sendable {
    package let method: String
    /// As it was sent, with its query.
    package let target: String
    package let fields: [HTTPField]

    package subscript(name: String) -> String? { fields.first(named: HTTPField.Name(name))?.text }

    package var isHead: Bool { method == "HEAD" }
  }

  package struct Reply: Sendable {
    package var status: Int
    /// Lines of the head; a `Content-Length` is added unless one is here, or the body is chunked.
    package var fields: [String]
    package var body: [UInt8]

    package init(_ status: Int, _ fields: [String] = [], _ body: [UInt8] = []) {
      self.status = status
      self.fields = fields
      self.body = body
    }
  }

  private let listener = LoopbackSocket.listen()
  private let asked = Monitor<[Question]>([])
  package let port: UInt16

  /// - Parameter reply: called on a thread of the connection.
  package init(_ reply: @escaping @Sendable (Question) -> Reply) {
    port = listener.port
    let (listener, questions) = (listener, asked)
    Threading.Thread.start("fake registry") {
      while let client = listener.accept() {
        Threading.Thread.start("fake") {
          while let question = read(client) {
            questions.update { $0.append(question) }
            guard answer(question, reply(question), client) else { return }
          }
        }?.detach()
      }
    }?.detach()
  }

  deinit { listener.shutdown() }

  package var address: String { "127.0.0.1:\(port)" }

  package var questions: [Question] { asked.withLock { $0 } }
}

private func read(_ client: LoopbackSocket) -> FakeRegistry.Question? {
  var bytes: [UInt8] = []
  while !bytes.suffix(4).elementsEqual("\r\n\r\n".utf8) {
    guard let next = client.receive(exactly: 1) else { return nil }
    bytes += next
  }
  let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\r\n")
  let words = lines.first?.split(separator: " ") ?? []
  guard words.count == 3 else { return nil }
  let fields = lines.dropFirst().compactMap { line -> HTTPField? in
    let parts = line.split(separator: ":", maxSplits: 1)
    guard parts.count == 2 else { return nil }
    return HTTPField(String(parts[0]), String(parts[1].drop { $0 == " " }))
  }
  return FakeRegistry.Question(
    method: String(words[0]), target: String(words[1]), fields: fields)
}

/// - Returns: whether the connection can be used again.
private func answer(
  _ question: FakeRegistry.Question, _ reply: FakeRegistry.Reply, _ client: LoopbackSocket
) -> Bool {
  var lines = ["HTTP/1.1 \(reply.status) Whatever"] + reply.fields
  let names = reply.fields.map { $0.prefix { $0 != ":" }.lowercased() }
  if !names.contains("content-length"), !names.contains("transfer-encoding") {
    lines.append("Content-Length: \(reply.body.count)")
  }
  let claimed = reply.fields.first { $0.lowercased().hasPrefix("content-length:") }
    .flatMap { Int($0.dropFirst(15).drop { $0 == " " }) }
  let isHonest = claimed == nil || claimed == reply.body.count
  client.send(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8))
  if !question.isHead {
    client.send(reply.body)
    // A body of another length than its head says ends by the end of the connection.
    if !isHonest {
      client.shutdownSending()
      _ = client.receive(within: .seconds(1))
      return false
    }
  }
  return true
}
