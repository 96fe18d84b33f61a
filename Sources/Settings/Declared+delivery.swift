internal import Offload

/// What clients get.
extension Declared {
  static let delivery = Setting.choice("BLOBLO_DELIVERY", default: Delivery.redirect)
    .explained(
      .location,
      """
      How clients get a blob from the bucket. redirect: they read S3. accelerate: the web \
      server reads S3 for them. pass: not at all, the registry answers.
      """)

  static let presignExpires = Setting.duration(
    "BLOBLO_PRESIGN_EXPIRES", default: .seconds(300), in: .seconds(1)...(.seconds(604_800))
  )
  .explained(
    .location,
    """
    How long a URL may be used: 1s to 7d, and never beyond the end of the credential \
    that signs. Clients that ask within a quarter of this time get the same URL, so the \
    last one has three quarters left.
    """)

  static let redirectStatus = Setting.read(
    "BLOBLO_REDIRECT_STATUS", default: 307, as: "307", want: "307 or 302"
  ) { ["307": 307, "302": 302][$0] }
  .explained(
    .location,
    "The status of a redirect: 307, or 302 for clients that need it.")

  static let minimumBlobSize = Setting.byteCount("BLOBLO_MIN_BLOB_SIZE", default: 0, in: 0...(.max))
    .explained(
      .location,
      "The smallest blob that bloblo offloads, such as 64KiB; smaller blobs pass.")
}
