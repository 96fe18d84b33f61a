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
  private let count: Int

  /// Room for as many descriptors as the process may have; what is not used takes no memory.
  init() {
    var limit = rlimit()
    count =
      unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
      ? Int(min(limit.rlim_cur, 1 << 20)) : 1024
    // All zero, which is idle, and given by the kernel only when touched.
    guard let memory = unsafe calloc(count, MemoryLayout<Atomic<UInt8>>.stride) else {
      preconditionFailure("no memory for \(count) connection states")
    }
    unsafe states = memory.assumingMemoryBound(to: Atomic<UInt8>.self)
  }

  deinit { unsafe free(states) }

  /// - Returns: `false` for a descriptor beyond the limit.
  func reset(_ descriptor: Int32) -> Bool {
    guard descriptor < count else { return false }
    unsafe states[Int(descriptor)].store(Self.idle, ordering: .releasing)
    return true
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

  /// - Returns: `false` when an event has come meanwhile, and must be asked for anew.
  func giveBack(_ descriptor: Int32) -> Bool {
    unsafe states[Int(descriptor)].exchange(Self.idle, ordering: .acquiringAndReleasing)
      == Self.busy
  }
}
