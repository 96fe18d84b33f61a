/// Who takes a response as it comes.
package protocol HTTPReceiver: AnyObject {
  /// The final head; interim (1xx) heads are not shown.
  ///
  /// - Returns: whether to go on; `false` breaks the connection off.
  func receive(head: HTTPResponseHead) -> Bool

  /// The next bytes of the body, with chunks undone and no encoding undone.
  ///
  /// - Returns: whether to go on; `false` breaks the connection off.
  func receive(body: Span<UInt8>) -> Bool

  /// Asked about once a second, also while nothing comes; `false` breaks the connection off.
  func isStillWanted() -> Bool
}

extension HTTPReceiver {
  package func isStillWanted() -> Bool { true }
}

/// Wants no body.
final class HeadReceiver: HTTPReceiver {
  private(set) var head: HTTPResponseHead?

  func receive(head: HTTPResponseHead) -> Bool {
    self.head = head
    return false
  }

  func receive(body: Span<UInt8>) -> Bool { false }
}

/// Keeps the whole body, up to a bound.
final class BodyCollector: HTTPReceiver {
  private let limit: Int
  private(set) var head: HTTPResponseHead?
  private(set) var body: [UInt8] = []
  private(set) var isOverLimit = false

  init(limit: Int) { self.limit = limit }

  func receive(head: HTTPResponseHead) -> Bool {
    self.head = head
    return true
  }

  func receive(body bytes: Span<UInt8>) -> Bool {
    guard body.count + bytes.count <= limit else {
      isOverLimit = true
      return false
    }
    unsafe bytes.withUnsafeBufferPointer { unsafe body.append(contentsOf: $0) }
    return true
  }
}
