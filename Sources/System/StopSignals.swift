// Its epoll header defines sigset_t first.
internal import CLinux
internal import Glibc
internal import Threading

/// SIGTERM and SIGINT, SIGHUP, SIGUSR1 and SIGUSR2, taken by one thread that waits for them instead of by a
/// handler.
package struct StopSignals: Sendable {
  private var set = sigset_t()

  /// Blocks them in this thread and in those it starts.
  package init() {
    unsafe sigemptyset(&set)
    unsafe sigaddset(&set, SIGTERM)
    unsafe sigaddset(&set, SIGINT)
    unsafe sigaddset(&set, SIGHUP)
    unsafe sigaddset(&set, SIGUSR1)
    unsafe sigaddset(&set, SIGUSR2)
    unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  /// What may come before the end.
  package enum Event: Sendable {
    /// The interval is over.
    case time
    case sighup, sigusr1, sigusr2
  }

  /// Calls `end` when another one that stops comes, on a thread of its own.
  ///
  /// - Parameter end: does not return.
  package func watchForSecond(_ end: @escaping @Sendable (_ name: String) -> Never) {
    let signals = self
    Thread.start("signals") { end(signals.wait()) }?.detach()
  }

  /// Waits for one that stops.
  ///
  /// - Parameter interval: how often there is a `.time`; `nil` for never.
  /// - Returns: its name.
  package func wait(every interval: Duration? = nil, _ meanwhile: (Event) -> Void = { _ in })
    -> String
  {
    var set = set
    while true {
      let signal: Int32
      if let interval {
        let (seconds, attoseconds) = interval.components
        var limit = timespec()
        limit.tv_sec = Int(seconds)
        limit.tv_nsec = Int(attoseconds / 1_000_000_000)
        signal = unsafe sigtimedwait(&set, nil, &limit)
      } else {
        signal = unsafe sigwaitinfo(&set, nil)
      }
      if signal == SIGINT { return "SIGINT" }
      if signal == SIGTERM { return "SIGTERM" }
      if signal == SIGHUP { meanwhile(.sighup) }
      if signal == SIGUSR1 { meanwhile(.sigusr1) }
      if signal == SIGUSR2 { meanwhile(.sigusr2) }
      if signal < 0, errno == EAGAIN { meanwhile(.time) }
    }
  }
}
