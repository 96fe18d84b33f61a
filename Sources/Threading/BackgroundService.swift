/// Something that works on a thread of its own from its start to its stop.
package protocol BackgroundService: Sendable {
  /// Called once.
  func start()

  /// Lets the thread end; does not wait for it.
  func stop()
}
