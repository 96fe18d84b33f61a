internal import CLinux
internal import Glibc
internal import Synchronization

/// Is called when something has happened on a descriptor that it has an event loop watch.
package protocol EventSource: AnyObject {
  func isReady(_ readiness: EventLoop.Readiness)
}

/// One thread's wait for many descriptors, for timers, and for the jobs that other threads hand in. What
/// waits here is a state of some object; it costs no thread.
///
/// Descriptors are watched edge-triggered: a source reads or writes until the kernel has no more.
package final class EventLoop: @unchecked Sendable {
  // @unchecked: `jobs` is behind a lock, and `thread` is atomic; the rest is touched by the loop's own
  // thread only, or before it runs.

  package struct Readiness: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let input = Readiness(rawValue: 1)
    package static let output = Readiness(rawValue: 2)
    /// The other side sends no more.
    package static let inputEnd = Readiness(rawValue: 4)
    /// The connection has failed, or the other side has closed both ways.
    package static let gone = Readiness(rawValue: 8)
    /// A read finds something: bytes, an end or an error.
    package static let readable: Readiness = [.input, .inputEnd, .gone]
  }

  private struct Watch {
    let source: any EventSource
    /// Told apart from the next user of the same descriptor number.
    let generation: UInt32
  }

  private struct Jobs {
    var waiting: [@Sendable () -> Void] = []
    var isWoken = false
  }

  private let epoll: Int32
  private let wakeUp: Int32
  private let jobs = Mutex(Jobs())
  private let thread = Atomic<UInt>(0)
  private var watches: [Watch?] = []
  private var lastGeneration: UInt32 = 0
  private var timers = TimerQueue()
  private var alarm = Alarm()
  private var hasRung = false
  private var isStopped = false
  /// Whether the last wait brought one event only. On the loop's thread.
  package private(set) var isQuiet = false

  package init() {
    epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    wakeUp = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
    precondition(epoll >= 0 && wakeUp >= 0, "epoll_create1 or eventfd: error \(errno)")
    control(EPOLL_CTL_ADD, wakeUp, for: EPOLLIN.rawValue, generation: 0)
    control(EPOLL_CTL_ADD, alarm.descriptor, for: EPOLLIN.rawValue, generation: 0)
  }

  deinit {
    close(epoll)
    close(wakeUp)
  }

  // MARK: for every thread

  /// Has the loop's thread run a job, in the order of submission.
  package func submit(_ job: @escaping @Sendable () -> Void) {
    let mustWake = jobs.withLock { jobs in
      jobs.waiting.append(job)
      defer { jobs.isWoken = true }
      return !jobs.isWoken
    }
    if mustWake { _ = eventfd_write(wakeUp, 1) }
  }

  /// Runs the job now if the calling thread is the loop's, and else has the loop's thread run it.
  package func perform(_ job: @escaping @Sendable () -> Void) {
    if isCurrent { job() } else { submit(job) }
  }

  /// Whether the calling thread is the loop's.
  package var isCurrent: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

  /// Whether the loop takes a job that is handed in now.
  package func isResponsive(within limit: Duration) -> Bool {
    let beat = Monitor(false)
    submit { beat.update { $0 = true } }
    return beat.wait(for: limit) { $0 ? true : nil } ?? false
  }

  /// Ends `run`, after the jobs that were submitted before.
  package func stop() { submit { self.isStopped = true } }

  // MARK: for the loop's thread

  /// Serves sources, timers and jobs until `stop`.
  package func run() {
    thread.store(UInt(pthread_self()), ordering: .relaxed)
    var events = unsafe [epoll_event](repeating: epoll_event(), count: 64)
    while !isStopped {
      if let due = timers.due { alarm.set(due) }
      let count = unsafe epoll_wait(epoll, &events, Int32(events.count), -1)
      isQuiet = count == 1
      for i in 0..<Int(max(0, count)) {
        unsafe dispatch(events[i].events, UInt64(events[i].data.u64))
      }
      // Behind what has happened: an answer that has come goes before the end of the wait for it.
      if hasRung { fireTimers() }
    }
    // What they hold may hold the loop.
    timers = TimerQueue()
  }

  /// Watches a descriptor; `source` is kept until `forget`.
  package func watch(_ descriptor: Int32, for interest: Readiness, _ source: any EventSource) {
    let index = Int(descriptor)
    if index >= watches.count {
      watches.append(contentsOf: repeatElement(nil, count: index + 64 - watches.count))
    }
    lastGeneration &+= 1
    watches[index] = Watch(source: source, generation: lastGeneration)
    control(EPOLL_CTL_ADD, descriptor, for: interest.epollBits, generation: lastGeneration)
  }

  /// Watches for something else from now on. What is there already is an event once more.
  package func change(_ descriptor: Int32, to interest: Readiness) {
    guard Int(descriptor) < watches.count, let watch = watches[Int(descriptor)] else { return }
    control(EPOLL_CTL_MOD, descriptor, for: interest.epollBits, generation: watch.generation)
  }

  /// Calls the source no more; to be called before the descriptor is closed. Its end has the kernel forget it too.
  package func forget(_ descriptor: Int32) {
    guard Int(descriptor) < watches.count, watches[Int(descriptor)] != nil else { return }
    watches[Int(descriptor)] = nil
  }

  /// Calls `body` once, when `delay` is over.
  @discardableResult
  package func after(_ delay: Duration, _ body: @escaping () -> Void) -> LoopTimer {
    timers.add(after: delay, body)
  }

  private func dispatch(_ bits: UInt32, _ data: UInt64) {
    let index = Int(data & 0xFFFF_FFFF)
    guard index != Int(wakeUp) else { return runJobs() }
    guard index != Int(alarm.descriptor) else {
      hasRung = true
      return
    }
    // An event of a descriptor that was forgotten, or given to another, since the kernel told of it.
    guard index < watches.count, let watch = watches[index],
      watch.generation == UInt32(data >> 32)
    else { return }
    watch.source.isReady(Readiness(epollBits: bits))
  }

  private func fireTimers() {
    hasRung = false
    alarm.clear()
    let now = steadyNanoseconds()
    while let timer = timers.popDue(at: now) { timer.fire() }
  }

  private func runJobs() {
    var count: eventfd_t = 0
    _ = unsafe eventfd_read(wakeUp, &count)
    let waiting = jobs.withLock { jobs in
      defer { jobs = Jobs() }
      return jobs.waiting
    }
    for job in waiting { job() }
  }

  private func control(
    _ operation: Int32, _ descriptor: Int32, for bits: UInt32, generation: UInt32
  ) {
    var event = unsafe epoll_event()
    unsafe event.events = bits
    unsafe event.data.u64 = UInt64(generation) << 32 | UInt64(UInt32(bitPattern: descriptor))
    _ = unsafe epoll_ctl(epoll, operation, descriptor, &event)
  }
}

extension EventLoop.Readiness {
  /// Source: epoll_ctl(2).
  fileprivate init(epollBits bits: UInt32) {
    var readiness: Self = []
    if bits & EPOLLIN.rawValue != 0 { readiness.insert(.input) }
    if bits & EPOLLOUT.rawValue != 0 { readiness.insert(.output) }
    if bits & EPOLLRDHUP.rawValue != 0 { readiness.insert(.inputEnd) }
    if bits & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 { readiness.insert(.gone) }
    self = readiness
  }

  fileprivate var epollBits: UInt32 {
    var bits = EPOLLET.rawValue
    if contains(.input) { bits |= EPOLLIN.rawValue | EPOLLRDHUP.rawValue }
    if contains(.output) { bits |= EPOLLOUT.rawValue }
    return bits
  }
}
