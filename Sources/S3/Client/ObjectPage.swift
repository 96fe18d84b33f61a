package import Primitives
internal import XML

/// Some of a bucket's objects, in the order of their keys.
package struct ObjectPage: Hashable, Sendable {
  package struct Object: Hashable, Sendable {
    package let key: String
    /// Bytes.
    package let size: Int64
    /// nil where S3 gives no time that can be read.
    package let modified: UnixTime?
  }

  package let objects: [Object]
  /// Where the next page begins; nil on the last one.
  package let next: String?

  init(_ document: XMLElement) throws(S3Error) {
    var objects: [Object] = []
    for content in document.all("Contents") {
      guard let key = content.text(of: "Key"),
        let size = content.text(of: "Size").flatMap({ Int64($0) })
      else { throw .unexpectedAnswer(.listObjects, reason: "Contents without Key or Size") }
      objects.append(
        Object(
          key: key, size: size,
          modified: content.text(of: "LastModified").flatMap { UnixTime(iso8601: $0) }))
    }
    self.objects = objects
    guard document.text(of: "IsTruncated") == "true" else {
      next = nil
      return
    }
    guard let token = document.text(of: "NextContinuationToken"), !token.isEmpty else {
      throw .unexpectedAnswer(.listObjects, reason: "more to come, but no NextContinuationToken")
    }
    next = token
  }
}
