internal import HTTPTransport
internal import Hashing

/// What S3 compares a part's bytes with.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>
package struct PartChecksum: Hashable, Sendable {
  package enum Algorithm: String, Sendable {
    case sha256 = "SHA256"
    /// Costs next to nothing, and TLS guards the bytes from those who would change them.
    case crc32c = "CRC32C"

    /// What S3 has to know to take it.
    var features: UploadFeatures { self == .sha256 ? .checksums : [.checksums, .unsigned] }
  }

  package let algorithm: Algorithm
  package let bytes: [UInt8]

  /// - Parameter bytes: 32 of a SHA-256, 4 of a CRC-32C.
  package init(_ algorithm: Algorithm, _ bytes: [UInt8]) {
    self.algorithm = algorithm
    self.bytes = bytes
  }

  var base64: String { Base64.string(bytes.span) }

  var field: HTTPField {
    HTTPField("x-amz-checksum-\(algorithm.rawValue.lowercased())", base64)
  }
}
