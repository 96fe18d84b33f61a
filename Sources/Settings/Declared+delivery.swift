internal import Offload

/// What clients get.
extension Declared {
  static let delivery = Setting.choice("BLOBLO_DELIVERY", default: Delivery.redirect)
    .explained(
      .location,
      """
      redirect: clients fetch from S3. accelerate: the web server fetches for them. pass: \
      the registry answers everything.
      """)

  static let presignExpires = Setting.duration(
    "BLOBLO_PRESIGN_EXPIRES", default: .seconds(300), in: .seconds(1)...(.seconds(604_800))
  )
  .explained(
    .location,
    """
    How long a URL may be used: 1s to 7d, and never beyond the end of the credential \
    that signs. All who ask within a quarter of it get the same URL, so the last has \
    three quarters left.
    """)

  static let redirectStatus = Setting.read(
    "BLOBLO_REDIRECT_STATUS", default: 307, want: "307 or 302"
  ) { ["307": 307, "302": 302][$0] }
  .explained(
    .location,
    "307, or 302 for clients that need it.")

  static let minimumBlobSize = Setting.byteCount("BLOBLO_MIN_BLOB_SIZE", default: 0, in: 0...(.max))
    .explained(
      .location,
      "Smaller blobs pass to the registry, such as 64KiB.")
}
