internal import Glibc

/// Ends the process at once.
///
/// Not by `exit`, which frees OpenSSL's locks while other threads (a health check, a sweep, a credential's refresh)
/// may still use them: the process could end by a signal after all went well.
///
/// Source: OPENSSL_cleanup(3)
package func exitNow(_ status: Int32) -> Never {
  LogSink.standardError.flush(within: .seconds(1))
  // Standard output may still be in the buffer.
  fflush(nil)
  _exit(status)
}
