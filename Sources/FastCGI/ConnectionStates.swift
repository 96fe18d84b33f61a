internal import Glibc
internal import Synchronization

/// Whether each connection is idle or somebody has it; by descriptor, without a lock.
@safe
final class ConnectionStates: @unchecked Sendable {
  // @unchecked: the pointer never changes, and what it points to are atomics.
  private static let idle: UInt8 = 0
  private static let busy: UInt8 = 1
  /// Busy, and an event has come meanwhile.
  private static let busyAndMore: UInt8 = 2

  private let states: UnsafeMutablePointer<Atomic<UInt8>>
  /// Whether each connection's requests come whole. Only who has the connection reads or writes it.
  private let trusted: UnsafeMutablePointer<Atomic<Bool>>
  private let count: Int

  /// Room for as many descriptors as the process may have; what is not used takes no memory.
  init() {
    var limit = rlimit()
    count =
      unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
      ? Int(min(limit.rlim_cur, 1 << 20)) : 1024
    unsafe states = zeroed(count)
    unsafe trusted = zeroed(count)
  }

  deinit {
    unsafe free(states)
    unsafe free(trusted)
  }

  /// - Returns: `false` for a descriptor beyond the limit.
  func reset(_ descriptor: Int32) -> Bool {
    guard descriptor < count else { return false }
    unsafe states[Int(descriptor)].store(Self.idle, ordering: .releasing)
    unsafe trusted[Int(descriptor)].store(false, ordering: .relaxed)
    return true
  }

  func isTrusted(_ descriptor: Int32) -> Bool {
    unsafe trusted[Int(descriptor)].load(ordering: .relaxed)
  }

  /// - Returns: whether that is news.
  func trust(_ descriptor: Int32, _ isTrusted: Bool) -> Bool {
    unsafe trusted[Int(descriptor)].exchange(isTrusted, ordering: .relaxed) != isTrusted
  }

  /// - Returns: `false` when somebody has the connection; the event is noted for them.
  func take(_ descriptor: Int32) -> Bool {
    let state = unsafe states + Int(descriptor)
    while true {
      let (isTaken, found) = unsafe state.pointee.compareExchange(
        expected: Self.idle, desired: Self.busy, ordering: .acquiringAndReleasing)
      if isTaken { return true }
      if found == Self.busyAndMore { return false }
      let (isNoted, _) = unsafe state.pointee.compareExchange(
        expected: Self.busy, desired: Self.busyAndMore, ordering: .acquiringAndReleasing)
      if isNoted { return false }
    }
  }

  /// Notes that more has come, for whoever has the connection.
  func note(_ descriptor: Int32) {
    unsafe states[Int(descriptor)].store(Self.busyAndMore, ordering: .releasing)
  }

  /// - Returns: `false` when an event has come meanwhile, and must be asked for anew.
  func giveBack(_ descriptor: Int32) -> Bool {
    unsafe states[Int(descriptor)].exchange(Self.idle, ordering: .acquiringAndReleasing)
      == Self.busy
  }
}

/// Atomics that are all zero, which is idle and false; given by the kernel only when touched.
@unsafe private func zeroed<Value>(_ count: Int) -> UnsafeMutablePointer<Atomic<Value>> {
  guard let memory = unsafe calloc(count, MemoryLayout<Atomic<Value>>.stride) else {
    preconditionFailure("no memory for \(count) connection states")
  }
  return unsafe memory.assumingMemoryBound(to: Atomic<Value>.self)
}
