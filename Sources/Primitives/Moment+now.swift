internal import Glibc

extension Moment {
  /// Now, to some milliseconds: the coarse clocks cost a fifth of the fine ones.
  package static func now() -> Moment {
    var unix = timespec()
    var steady = timespec()
    unsafe clock_gettime(CLOCK_REALTIME_COARSE, &unix)
    unsafe clock_gettime(CLOCK_MONOTONIC_COARSE, &steady)
    return Moment(
      unix: UnixTime(seconds: Int64(unix.tv_sec)),
      millisecond: Int64(unix.tv_nsec) / 1_000_000,
      steady: Int64(steady.tv_sec) * 1000 + Int64(steady.tv_nsec) / 1_000_000)
  }
}
