/// The name of an object in a bucket: 1…1024 bytes of UTF-8, not percent-encoded.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>
package struct ObjectKey: Hashable, Sendable, CustomStringConvertible {
  package static let byteRange = 1...1024

  package let utf8: [UInt8]

  package init(_ key: String) throws(S3Error) {
    try self.init(checkingCountOf: Array(key.utf8))
  }

  package init(utf8: [UInt8]) throws(S3Error) {
    guard String(validating: utf8, as: UTF8.self) != nil else {
      throw .invalidObjectKey(reason: "want UTF-8")
    }
    try self.init(checkingCountOf: utf8)
  }

  private init(checkingCountOf utf8: [UInt8]) throws(S3Error) {
    guard Self.byteRange.contains(utf8.count) else {
      throw .invalidObjectKey(reason: "want 1 to 1024 bytes, got \(utf8.count)")
    }
    self.utf8 = utf8
  }

  package var description: String { String(decoding: utf8, as: UTF8.self) }
}
