extension Filler {
  /// How much a process fills at a time, and where the bytes wait.
  package struct Limits: Sendable {
    /// Fills at a time.
    package var fills: Int
    /// Fills that wait for their turn, with the credential they were given.
    package var queue: Int
    /// How long they wait at most: a credential is not kept for longer.
    package var queueTime: Duration
    package var spoolFolder: String
    package var spoolBytes: Int64
    /// Preferred size of a part; a blob up to this size is one PUT.
    package var partBytes: Int64
    package var parallelParts: Int

    package init(
      fills: Int = 8, queue: Int = 2048, queueTime: Duration = .seconds(300),
      spoolFolder: String = "/var/tmp", spoolBytes: Int64 = 16 << 30, partBytes: Int64 = 8 << 20,
      parallelParts: Int = 4
    ) {
      self.fills = fills
      self.queue = queue
      self.queueTime = queueTime
      self.spoolFolder = spoolFolder
      self.spoolBytes = spoolBytes
      self.partBytes = partBytes
      self.parallelParts = parallelParts
    }

    /// Enough that no fill waits for another's part, within reason.
    var uploadThreads: Int { min(fills * parallelParts, 128) }
  }
}
