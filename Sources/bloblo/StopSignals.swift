import Glibc

/// SIGTERM and SIGINT, taken by one thread that waits for them instead of by a handler.
struct StopSignals {
  private var set = sigset_t()

  /// Blocks them in this thread and in those it starts.
  init() {
    unsafe sigemptyset(&set)
    unsafe sigaddset(&set, SIGTERM)
    unsafe sigaddset(&set, SIGINT)
    unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  /// Waits for one.
  ///
  /// - Returns: its name.
  func wait() -> String {
    var set = set
    var signal: Int32 = 0
    while unsafe sigwait(&set, &signal) != 0 {}
    return signal == SIGINT ? "SIGINT" : "SIGTERM"
  }
}
