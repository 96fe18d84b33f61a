internal import Fill
internal import Offload
internal import S3
internal import System

/// Filling the bucket.
extension Declared {
  static let fill = Setting.choice("BLOBLO_FILL", default: FillMode.tee)
    .explained(
      .location,
      """
      What bloblo does with a blob that the bucket lacks. tee: it reads the blob once, for the \
      client and for the bucket. background: the client gets it from the registry, and \
      bloblo reads it once more for the bucket. off: nothing.
      """)

  static let fillConcurrency = Setting.number("BLOBLO_FILL_CONCURRENCY", default: 8, in: 1...1024)
    .explained(
      .process,
      "How many fills run at a time.")

  static let fillQueue = Setting.number("BLOBLO_FILL_QUEUE", default: 2048, in: 0...65_536)
    .explained(
      .process,
      "How many fills may wait in the queue.")

  static let fillRanges = Setting.read(
    "BLOBLO_FILL_RANGES", default: FillRanges.on, as: "on",
    want: "on, off, or the size of the largest blob that a range fills, such as 512MiB"
  ) { FillRanges($0) }
  .explained(
    .location,
    """
    Whether a request for a part of a blob that the bucket lacks queues a fill: on, off, \
    or the size of the largest blob for which it does, such as 512MiB.
    """)

  static let fillPartSize = Setting.byteCount(
    "BLOBLO_FILL_PART_SIZE", default: 8 << 20, in: PartSize.smallestBytes...(5 << 30)
  )
  .explained(
    .process,
    """
    The size of the parts of a large upload: 5MiB to 5GiB; larger if 10,000 parts would \
    not be enough.
    """)

  static let fillParallelParts = Setting.number(
    "BLOBLO_FILL_PARALLEL_PARTS", default: 4, in: 1...64
  )
  .explained(
    .process,
    "How many parts of one blob bloblo uploads at a time.")

  static let spoolFolder = Setting.text(
    "BLOBLO_SPOOL_DIR", default: "/var/tmp", want: "an existing folder that bloblo may write to"
  ) { isWritableFolder($0) ? $0 : nil }
  .explained(
    .process, example: "/var/cache/bloblo",
    """
    The folder for the spool, in which the bytes of fills wait. The package's service sets \
    /var/cache/bloblo.
    """)

  static let spoolBytes = Setting.byteCount(
    "BLOBLO_SPOOL_MAX_BYTES", default: 16 << 30, in: 0...(.max)
  )
  .explained(
    .process,
    "The largest size of the spool.")

  package static let sweepAge = Setting.duration(
    "BLOBLO_SWEEP_AGE", default: .seconds(86_400), in: .zero...(.seconds(365 * 86_400))
  )
  .explained(
    .process,
    """
    At its start and once a day bloblo aborts multipart uploads of its own that were left \
    behind and are older than this.
    """)
}
