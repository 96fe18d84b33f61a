package import Threading

/// Puts questions to servers, each a request whose answer's head is all that is wanted, on an event loop: a
/// question that waits is a state, and costs no thread.
///
/// HTTP/1.1, over connections that are kept. At most `connectionLimit` of one server's are open; beyond them
/// questions stand in line, in groups that take turns.
///
/// Bytes behind the answer to a HEAD, which some servers send, are never taken for another answer. Until a
/// server has proved quiet, a connection rests for a second behind such an answer, and is watched; a byte that
/// comes while any connection rests has each connection serve one HEAD from then on. The connection that has
/// rested the longest is used first.
@safe
package final class QuestionClient: @unchecked Sendable {
  // @unchecked: touched by the loop's thread only.

  private struct Key: Hashable {
    let origin: Origin
    let caFile: String?
  }

  let loop: EventLoop
  /// What rests are measured by.
  let now: () -> ContinuousClock.Instant
  let connectionLimit: Int
  /// Questions that may stand in one server's line.
  let lineLimit: Int
  /// For what is read and looked at at once.
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 << 10, alignment: 16)
  private var servers: [Key: Server] = [:]
  /// Threads that ask by a proxy.
  private let proxied: ThreadPool<Void>

  package init(
    _ loop: EventLoop, connectionLimit: Int = 1024, lineLimit: Int = 1 << 16,
    now: @escaping () -> ContinuousClock.Instant = { .now }
  ) {
    self.loop = loop
    self.now = now
    self.connectionLimit = connectionLimit
    self.lineLimit = lineLimit
    proxied = ThreadPool(
      name: "ask-proxy", threadLimit: min(64, connectionLimit), queueLimit: lineLimit
    ) {}
  }

  deinit { unsafe buffer.deallocate() }

  /// Asks, and calls `then` on the loop's thread; to be called there.
  ///
  /// - Parameters:
  ///   - group: whose turn it is, where there is a line: a repository's name.
  ///   - isWanted: asked when its turn comes: who has gone is not asked for.
  package func ask(
    _ request: HTTPRequest, group: [UInt8], isWanted: @escaping () -> Bool = { true },
    then: @escaping (Result<HTTPResponseHead, TransportError>) -> Void
  ) {
    guard request.fields.allSatisfy(\.isSendable) else {
      return then(.failure(TransportError(.invalid, "a header has a line end in it")))
    }
    if HTTPClient.proxies?.mayApply(to: request.url) ?? false {
      return askByProxy(request, Asker(then))
    }
    guard let url = try? HTTPURL(request.url), !url.hasFragment else {
      return then(.failure(TransportError(.invalid, "the URL can't be asked")))
    }
    let origin = Origin(url)
    let key = Key(origin: origin, caFile: request.limits.caFile)
    let server = servers[key] ?? Server(origin, caFile: key.caFile, self)
    servers[key] = server
    server.ask(
      Question(request, to: origin, target: url.target, isWanted: isWanted, then: then), of: group)
  }

  /// libcurl knows proxies of all kinds; it waits for them in threads. Each question has a connection of its own,
  /// so that nothing behind an answer can be taken for the next one.
  private func askByProxy(_ request: HTTPRequest, _ asker: Asker) {
    let (loop, start) = (loop, ContinuousClock.now)
    let isTaken = proxied.submit { _ in
      let patience = request.limits.head
      let answer = Result { () throws(TransportError) in
        guard .now - start < patience else {
          throw TransportError(.line, "no thread was free within \(patience) to ask by the proxy")
        }
        var http = HTTPClient()
        return try http.head(of: request)
      }
      loop.submit { asker.then(answer) }
    }
    if !isTaken {
      asker.then(.failure(TransportError(.line, "too many wait to be asked by the proxy")))
    }
  }

  /// Who waits for an answer, on the way through a thread.
  private final class Asker: @unchecked Sendable {
    // @unchecked: called on the loop's thread only.
    let then: (Result<HTTPResponseHead, TransportError>) -> Void

    init(_ then: @escaping (Result<HTTPResponseHead, TransportError>) -> Void) {
      self.then = then
    }
  }

  /// Questions on the wire, and in line. On the loop's thread.
  package var load: (onWire: Int, waiting: Int) {
    servers.values.reduce(into: (0, 0)) { sum, server in
      sum.0 += server.onWire
      sum.1 += server.waiting
    }
  }
}
