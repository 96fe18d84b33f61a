internal import Primitives
package import Threading

/// Puts questions to servers, each a request whose answer's head is all that is wanted, on an event loop: a
/// question that waits is a state, and costs no thread.
///
/// HTTP/1.1, over connections that are kept. At most `connectionLimit` of one server's are open; beyond them
/// questions stand in line, in groups that take turns.
///
/// Bytes behind the answer to a HEAD, which some servers send, are never taken for another answer. Until a
/// server has proved quiet behind answers of a class (2xx, 4xx, …), a connection rests for a second behind such an
/// answer, and is watched; a byte that comes while any connection rests has each connection serve one HEAD from then
/// on. The connection that has rested the longest is used first.
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
  /// The server that was asked last, and its origin as the URL wrote it. Most questions go to one server, and need
  /// not take its URL apart.
  private var last: (origin: String, server: Server)?
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
    _ request: HTTPRequest, group: QuestionGroup, isWanted: @escaping () -> Bool = { true },
    then: @escaping (Result<HTTPResponseHead, TransportError>) -> Void
  ) {
    guard request.fields.allSatisfy(\.isSendable) else {
      return then(.failure(TransportError(.invalid, "a header has a line end in it")))
    }
    if HTTPClient.proxies?.mayApply(to: request.url) ?? false {
      return askByProxy(request, Asker(then))
    }
    guard let (server, target) = server(of: request) else {
      return then(.failure(TransportError(.invalid, "the URL can't be asked")))
    }
    server.ask(
      Question(request, to: server.origin, target: target, isWanted: isWanted, then: then),
      of: group)
  }

  /// The server of a request's URL, and what the server is asked for.
  private func server(of request: HTTPRequest) -> (Server, target: Substring)? {
    if let last, last.server.caFile == request.limits.caFile,
      let target = request.url.target(at: last.origin)
    {
      return (last.server, target)
    }
    guard let url = try? HTTPURL(request.url), !url.hasFragment else { return nil }
    let key = Key(origin: Origin(url), caFile: request.limits.caFile)
    let server = servers[key] ?? Server(key.origin, caFile: key.caFile, self)
    servers[key] = server
    last = (request.url.writtenOrigin, server)
    return (server, url.target[...])
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

extension String {
  /// Scheme, host and port of a URL, as they are written.
  fileprivate var writtenOrigin: String {
    let rest = utf8.firstIndex(of: UInt8(ascii: ":")).map { utf8[$0...].dropFirst(3) }
    return String(self[..<(rest?.firstIndex { "/?#".utf8.contains($0) } ?? endIndex)])
  }

  /// Path and query of a URL that begins with this origin and a slash.
  ///
  /// - Returns: `nil` for any other URL, and for one that `HTTPURL` would not take or whose fragment has to be cut off.
  fileprivate func target(at origin: String) -> Substring? {
    let (url, origin) = (utf8.span, origin.utf8.span)
    guard url.count > origin.count, url[origin.count] == UInt8(ascii: "/"),
      url.extracting(0..<origin.count).isEqual(to: origin),
      url.extracting(origin.count...).isTarget
    else { return nil }
    return self[utf8.index(startIndex, offsetBy: origin.count)...]
  }
}

extension Span<UInt8> {
  /// Without a way out, so that the loop becomes a few vector instructions.
  fileprivate var isTarget: Bool {
    var others: UInt8 = 0
    for i in indices {
      let byte = self[i]
      others |= (byte &- 0x21 < 0x5E ? 0 : 1) | (byte == UInt8(ascii: "#") ? 1 : 0)
    }
    return others == 0
  }
}
