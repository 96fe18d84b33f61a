package import Primitives

/// What the bucket has of a blob.
package enum Presence: Sendable {
  case absent
  /// With a URL for it, when one has been signed.
  case present(StoredBlob, SignedURL?)
}

/// An object, as the bucket describes it.
package struct StoredBlob: Sendable, Equatable {
  /// In bytes.
  package let size: Int64
  /// When the bucket's rules delete it, if it says so.
  package let expiration: UnixTime?
  /// Whether S3's checksum, or what bloblo wrote beside the object, is this blob's.
  package let isProven: Bool

  package init(size: Int64, expiration: UnixTime? = nil, isProven: Bool = false) {
    self.size = size
    self.expiration = expiration
    self.isProven = isProven
  }
}

/// A presigned URL and how long it may be given out: a part of its life, so that whoever gets it last has
/// time to use it.
package struct SignedURL: Sendable {
  /// Absolute, ASCII.
  package let bytes: [UInt8]
  package let reusableUntil: UnixTime

  package init(bytes: [UInt8], reusableUntil: UnixTime) {
    self.bytes = bytes
    self.reusableUntil = reusableUntil
  }
}
