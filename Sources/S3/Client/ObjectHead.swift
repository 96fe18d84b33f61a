internal import HTTPTransport
package import Primitives

/// What HEAD tells of an object.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>
package struct ObjectHead: Hashable, Sendable {
  package let size: Int64
  package let eTag: String?
  /// When a lifecycle rule will remove it (`x-amz-expiration`), or its restored copy ends (`x-amz-restore`).
  package let expiration: UnixTime?
  /// Whether it must be restored from an archive before it can be read.
  package let isArchived: Bool
  /// The SHA-256 of all its bytes, in base 64, where S3 keeps that: of parts it keeps another.
  package let sha256: String?
  /// The object's metadata: names in lower case, without `x-amz-meta-`.
  package let metadata: [String: String]

  package init(
    size: Int64, eTag: String? = nil, expiration: UnixTime? = nil, isArchived: Bool = false,
    sha256: String? = nil, metadata: [String: String] = [:]
  ) {
    self.size = size
    self.eTag = eTag
    self.expiration = expiration
    self.isArchived = isArchived
    self.sha256 = sha256
    self.metadata = metadata
  }

  /// nil without a size.
  init?(_ head: HTTPResponseHead) {
    guard let size = head.contentLength, size >= 0 else { return nil }
    func text(_ name: String) -> String? { head.fields.first(named: HTTPField.Name(name))?.text }
    let restored = text("x-amz-restore").flatMap { Self.restoredCopyEnd($0) }
    let ends = [text("x-amz-expiration").flatMap { Self.expiration($0) }, restored]
    self.init(
      size: size, eTag: head.eTag, expiration: ends.compactMap(\.self).min(),
      isArchived: restored == nil
        && (["GLACIER", "DEEP_ARCHIVE"].contains(text("x-amz-storage-class"))
          || text("x-amz-archive-status") != nil),
      sha256: Self.wholeSHA256(text("x-amz-checksum-sha256"), type: text("x-amz-checksum-type")),
      metadata: Self.metadata(head.fields))
  }

  /// - Parameter value: `expiry-date="Fri, 21 Dec 2012 00:00:00 GMT", rule-id="…"`
  static func expiration(_ value: String) -> UnixTime? {
    for part in value.split(separator: "\"") where part.hasSuffix(" GMT") {
      if let time = UnixTime(httpDate: part) { return time }
    }
    return nil
  }

  /// - Parameter value: `ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"`
  /// - Returns: nil when nothing is restored yet.
  private static func restoredCopyEnd(_ value: String) -> UnixTime? {
    value.contains("ongoing-request=\"false\"") ? expiration(value) : nil
  }

  /// - Parameter checksum: `…=-3` for one of three parts' checksums, if the type does not say it.
  private static func wholeSHA256(_ checksum: String?, type: String?) -> String? {
    guard let checksum, type == nil || type == "FULL_OBJECT", !checksum.contains("-") else {
      return nil
    }
    return checksum
  }

  private static func metadata(_ fields: [HTTPField]) -> [String: String] {
    let prefix = "x-amz-meta-"
    var metadata: [String: String] = [:]
    for field in fields {
      let name = field.name.lowercased()
      if name.hasPrefix(prefix) { metadata[String(name.dropFirst(prefix.count))] = field.text }
    }
    return metadata
  }
}
