internal import Glibc

/// Ends the process at once.
///
/// Not by `exit`: that takes OpenSSL's locks and the like away, while threads of ours that nobody waits for
/// (a probe, a sweep, a credential being fetched) may still be within them, and the process would end by a
/// signal after all has gone well.
///
/// Source: OPENSSL_cleanup(3)
package func leave(_ status: Int32) -> Never {
  LogSink.standardError.flush(within: .seconds(1))
  // What commands have printed is still in the buffer.
  fflush(nil)
  _exit(status)
}
