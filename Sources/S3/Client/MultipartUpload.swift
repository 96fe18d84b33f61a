package import Primitives

/// S3's name for an upload in parts. Opaque.
package struct UploadID: Hashable, Sendable, CustomStringConvertible {
  package let text: String

  package init(_ text: String) {
    self.text = text
  }

  package var description: String { text }
}

/// An upload that was begun.
package struct MultipartUpload: Hashable, Sendable {
  package let key: ObjectKey
  package let id: UploadID
  /// By S3's clock when listed; nil when S3 did not say.
  package let initiated: UnixTime?
  /// What its parts' checksums are; nil when it takes none.
  package let checksum: PartChecksum.Algorithm?

  package init(
    key: ObjectKey, id: UploadID, initiated: UnixTime? = nil,
    checksum: PartChecksum.Algorithm? = nil
  ) {
    self.key = key
    self.id = id
    self.initiated = initiated
    self.checksum = checksum
  }
}
