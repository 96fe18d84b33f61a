/// What S3 takes with an upload, and not every server like it knows.
struct UploadFeatures: OptionSet, Hashable, Sendable {
  let rawValue: UInt8

  /// `x-amz-checksum-…` and `x-amz-checksum-algorithm`.
  static let checksums = UploadFeatures(rawValue: 1)
  /// `If-None-Match: *`.
  static let conditions = UploadFeatures(rawValue: 2)
  /// CRC-32C for a part, and a signature that does not cover the body. Of no use without `checksums`.
  static let unsigned = UploadFeatures(rawValue: 4)

  static let all: UploadFeatures = [.checksums, .conditions, .unsigned]

  /// What else can be sent after a refusal of these: without the one, without the other, without both.
  ///
  /// The condition goes first, unless the refusal names the checksum: servers that lack it are more. SHA-256
  /// is tried before no checksum.
  func fewer(after refusal: S3ErrorResponse) -> [UploadFeatures] {
    let order: [UploadFeatures] =
      refusal.isOfChecksum
      ? [.unsigned, [.checksums, .unsigned], .conditions]
      : [.conditions, .unsigned, [.checksums, .unsigned]]
    var sets = order.filter { !isDisjoint(with: $0) }.map { subtracting($0) }
    if sets.last != [] { sets.append([]) }
    return sets
  }
}

extension S3ErrorResponse {
  /// Whether it may be for a field that the server does not know: 501, `InvalidArgument` from those that take
  /// any `x-amz-` name for an argument, or `InvalidRequest` for an algorithm.
  var isOfUnknownField: Bool {
    isNotImplemented
      || status == 400 && (code == "InvalidArgument" || code == "InvalidRequest" && isOfChecksum)
  }

  var isOfChecksum: Bool { message?.lowercased().contains("checksum") == true }

  /// Whether it may be for a body that the signature does not cover: a bucket's policy can forbid those
  /// (`s3:x-amz-content-sha256`), and a server may not know them.
  var isOfUnsignedBody: Bool {
    status == 403 || status == 400 && code == "XAmzContentSHA256Mismatch"
  }
}
