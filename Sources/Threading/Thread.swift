internal import CLinux
internal import Glibc

/// A POSIX thread.
package struct Thread: Sendable {
  private let handle: pthread_t

  /// Starts a thread, which begins with all signals blocked when its starter has them blocked.
  ///
  /// - Parameters:
  ///   - name: what `top -H` and a debugger show, 15 bytes at most; the rest is cut off.
  ///   - stackBytes: the address space of its stack; only what is used takes memory.
  /// - Returns: the thread, or `nil` when the system has none to give.
  package static func start(
    _ name: String, stackBytes: Int = 512 << 10, _ body: @escaping @Sendable () -> Void
  ) -> Thread? {
    var attributes = pthread_attr_t()
    unsafe pthread_attr_init(&attributes)
    defer { unsafe pthread_attr_destroy(&attributes) }
    unsafe pthread_attr_setstacksize(&attributes, stackBytes)
    let start = unsafe Unmanaged.passRetained(Start(name: name, body: body))
    var handle = pthread_t()
    guard unsafe pthread_create(&handle, &attributes, runThread, start.toOpaque()) == 0 else {
      unsafe start.release()
      return nil
    }
    return Thread(handle: handle)
  }

  /// Sets nice 10 on the calling thread: about a tenth of another thread's share of a busy processor.
  ///
  /// Source: setpriority(2), "C library/kernel differences": on Linux it is the thread's own.
  package static func lowerPriority() {
    setpriority(.init(PRIO_PROCESS.rawValue), 0, 10)
  }

  /// Waits until the thread has ended. Once, by one thread.
  package func join() {
    pthread_join(handle, nil)
  }

  /// Lets the thread end by itself, without a `join`.
  package func detach() {
    pthread_detach(handle)
  }
}

private final class Start {
  let name: String
  let body: @Sendable () -> Void

  init(name: String, body: @escaping @Sendable () -> Void) {
    self.name = name
    self.body = body
  }
}

private func runThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let context = unsafe context else { return nil }
  let start = unsafe Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
  unsafe pthread_setname_np(pthread_self(), String(start.name.prefix(15)))
  start.body()
  return nil
}
