import HTTPTransport
import Primitives
import S3
import TestSupport
import Threading

/// A bucket with room for one object, which writes as S3 does, unless another answer was ordered.
final class FakeS3: Sendable {
  enum Answer: Sendable {
    case obey
    /// Does as it is told, and the answer is lost.
    case obeySilently
    case refuse(Int, String)
    /// The same; and another instance has made an object of this size meanwhile.
    case refuseAfterAnother(Int, String, size: Int)
  }

  fileprivate struct State {
    /// The object's; nil when there is none.
    var size: Int?
    var answers: [Answer]
    var writes: [String] = []
  }

  private let state: Monitor<State>
  private let server: ScriptedServer
  let client: BucketClient

  /// - Parameters:
  ///   - size: of the object that is there.
  ///   - answers: to the first writes.
  init(size: Int?, _ answers: [Answer]) throws {
    let state = Monitor(State(size: size, answers: answers))
    self.state = state
    server = ScriptedServer { request in state.withLock { $0.reply(to: request) } }
    client = BucketClient(
      try Bucket("bucket", region: "r", endpoint: Endpoint(server.url)),
      credential: Credential(accessKeyID: "id", secretAccessKey: Secret("secret")), limits: .patient
    )
  }

  var size: Int? { state.withLock { $0.size } }

  /// `if absent` and `always`, in the order in which they came.
  var writes: [String] { state.withLock { $0.writes } }
}

extension FakeS3.State {
  fileprivate mutating func reply(to request: ReceivedRequest) -> Reply {
    guard request.lines[0].hasPrefix("PUT") else {
      return size.map { answer(200, length: $0) } ?? answer(404)
    }
    let isConditional = request.has("If-None-Match")
    writes.append(isConditional ? "if absent" : "always")
    switch answers.isEmpty ? .obey : answers.removeFirst() {
    case .obey: return write(request, isConditional)
    case .obeySilently:
      _ = write(request, isConditional)
      return Reply("", .close)
    case .refuse(let status, let code): return refusal(status, code)
    case .refuseAfterAnother(let status, let code, let size):
      self.size = size
      return refusal(status, code)
    }
  }

  private mutating func write(_ request: ReceivedRequest, _ isConditional: Bool) -> Reply {
    if isConditional, size != nil { return refusal(412, "PreconditionFailed") }
    size = request.body.count
    return answer(200)
  }
}

private func answer(_ status: Int, length: Int = 0) -> Reply {
  Reply("HTTP/1.1 \(status) X\r\nContent-Length: \(length)\r\n\r\n")
}

private func refusal(_ status: Int, _ code: String) -> Reply {
  let body = "<Error><Code>\(code)</Code></Error>"
  return Reply("HTTP/1.1 \(status) X\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
}
