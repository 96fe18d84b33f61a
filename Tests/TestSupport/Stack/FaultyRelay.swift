internal import Glibc
internal import Threading

/// A TCP relay in front of a server, which fails as it is told, and may be told otherwise while bytes flow.
package final class FaultyRelay: Sendable {
  package enum Fault: Sendable, Equatable {
    case none
    /// Connections, those that are there too, are reset.
    case reset
    /// Connections are made, and nothing moves on them.
    case stall
    /// Of each answer stream the first bytes pass, then nothing moves.
    case stallAnswer(after: Int)
    /// Of each answer stream the first bytes pass, then the connection is closed.
    case cutAnswer(after: Int)
    /// Every request gets this answer, and the connection is closed.
    case answer(String)
  }

  private struct State {
    var fault = Fault.none
    var requests: [String] = []
    var isEnded = false
  }

  private let listener = LoopbackSocket.listen()
  private let target: UInt16
  private let state = Monitor(State())
  package let port: UInt16

  /// - Parameter target: the port of 127.0.0.1 behind the relay.
  package init(to target: UInt16) {
    self.target = target
    port = listener.port
    let (listener, state) = (listener, state)
    Threading.Thread.start("relay") {
      while let client = listener.accept() {
        if state.withLock({ $0.isEnded }) { return }
        Threading.Thread.start("relayed") { Relayed(client, target, state).run() }?.detach()
      }
    }?.detach()
  }

  deinit {
    state.update { $0.isEnded = true }
    listener.shutdown()
  }

  package var url: String { "http://127.0.0.1:\(port)" }

  package var fault: Fault {
    get { state.withLock { $0.fault } }
    set { state.update { $0.fault = newValue } }
  }

  /// The first lines of the requests so far, as `GET /v2/`.
  package var requests: [String] { state.withLock { $0.requests } }

  /// One connection.
  private final class Relayed: Sendable {
    let client: LoopbackSocket
    let server: LoopbackSocket?
    let state: Monitor<State>

    init(_ client: LoopbackSocket, _ target: UInt16, _ state: Monitor<State>) {
      self.client = client
      self.state = state
      server = try? LoopbackSocket.connect(port: target)
    }

    var fault: Fault? { state.withLock { $0.isEnded ? nil : $0.fault } }

    func run() {
      guard let server else { return client.resetOnClose() }
      let answers = Threading.Thread.start("answers") { [self] in
        passAnswers(from: server)
        client.shutdown()
        server.shutdown()
      }
      passRequests(to: server)
      client.shutdown()
      server.shutdown()
      answers?.join()
    }

    private func passRequests(to server: LoopbackSocket) {
      while let fault {
        if fault == .reset { return client.resetOnClose() }
        if fault == .stall {
          usleep(20_000)
          continue
        }
        guard case .bytes(let bytes) = client.receive(within: .milliseconds(20))
        else { if client.hasEnded { return } else { continue } }
        let line = firstLine(bytes)
        if let line { state.update { $0.requests.append(line) } }
        // The fault may have come while we waited: the newest one counts.
        if case .answer(let text)? = self.fault {
          client.send(Array(text.utf8))
          return client.drainAndEnd()
        }
        guard server.send(bytes) else { return }
      }
    }

    private func passAnswers(from server: LoopbackSocket) {
      var passed = 0
      while let fault {
        var piece = 64 << 10
        switch fault {
        case .reset:
          client.resetOnClose()
          return
        case .stall:
          usleep(20_000)
          continue
        case .stallAnswer(let limit):
          piece = limit - passed
          if piece <= 0 {
            usleep(20_000)
            continue
          }
        case .cutAnswer(let limit):
          piece = limit - passed
          if piece <= 0 { return }
        default: break
        }
        guard case .bytes(let bytes) = server.receive(upTo: piece, within: .milliseconds(20))
        else { if server.hasEnded { return } else { continue } }
        passed += bytes.count
        guard client.send(bytes) else { return }
      }
    }
  }
}

extension LoopbackSocket {

  /// Whether the other side sends no more, and all it sent is read.
  fileprivate var hasEnded: Bool {
    var byte: UInt8 = 0
    let count = unsafe recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
    return count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)
  }

  /// Reads what still comes for a moment, so that the answer is not lost in a reset.
  fileprivate func drainAndEnd() {
    shutdownSending()
    for _ in 0..<200 {
      if case .end = receive(within: .milliseconds(10)) { return }
    }
  }
}

/// `GET /path`, when a request begins with these bytes.
private func firstLine(_ bytes: [UInt8]) -> String? {
  let methods = ["GET ", "HEAD ", "PUT ", "POST ", "DELETE ", "PATCH "]
  guard methods.contains(where: { bytes.starts(with: $0.utf8) }),
    let end = bytes.firstIndex(of: UInt8(ascii: "\r"))
  else { return nil }
  let words = String(decoding: bytes[..<end], as: UTF8.self).split(separator: " ")
  return words.prefix(2).joined(separator: " ")
}
