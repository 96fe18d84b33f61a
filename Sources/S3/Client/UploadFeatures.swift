/// What S3 takes with an upload, and not every server like it knows.
struct UploadFeatures: OptionSet, Hashable, Sendable {
  let rawValue: UInt8

  /// `x-amz-checksum-sha256` and `x-amz-checksum-algorithm`.
  static let checksums = UploadFeatures(rawValue: 1)
  /// `If-None-Match: *`.
  static let conditions = UploadFeatures(rawValue: 2)

  static let all: UploadFeatures = [.checksums, .conditions]

  /// What else can be sent after a refusal of these: without the one, without the other, without both.
  ///
  /// The condition goes first, unless the refusal names the checksum: servers that lack it are more.
  func fewer(after refusal: S3Refusal) -> [UploadFeatures] {
    guard refusal.isOfUnknownField else { return [] }
    let isOfChecksum = refusal.message?.lowercased().contains("checksum") == true
    let order: [UploadFeatures] =
      isOfChecksum ? [.checksums, .conditions] : [.conditions, .checksums]
    var sets = order.filter { !isDisjoint(with: $0) }.map { subtracting($0) }
    if self == .all { sets.append([]) }
    return sets
  }
}

extension S3Refusal {
  /// Whether it may be for a field that the server does not know: 501, or `InvalidArgument` from those that take
  /// any `x-amz-` name for an argument.
  var isOfUnknownField: Bool { isNotImplemented || status == 400 && code == "InvalidArgument" }
}
