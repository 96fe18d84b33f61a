internal import CLinux
internal import Glibc

/// Whether the kernel may write this process's memory to a core file, and let a process of the same user
/// attach to it. Passwords and the S3 secret are in that memory.
///
/// Source: prctl(2), `PR_SET_DUMPABLE`.
package enum CoreFiles {
  /// A crash then ends the process at once: Swift's backtracer could not attach to it either, and its handler
  /// would wait for it for ever.
  package static func forbid() {
    _ = clinux_set_dumpable(0)
    for crash in [SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGSEGV, SIGTRAP] {
      signal(crash, SIG_DFL)
    }
  }

  /// For those who debug.
  package static func allow() { _ = clinux_set_dumpable(1) }
}
