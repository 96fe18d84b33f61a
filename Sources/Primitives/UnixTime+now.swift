internal import Glibc

extension UnixTime {
  /// What the system's clock says. For the edges of the program: elsewhere `now` is a parameter.
  package static func now() -> UnixTime {
    UnixTime(seconds: Int64(time(nil)))
  }
}
