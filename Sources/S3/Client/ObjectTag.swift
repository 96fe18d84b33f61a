/// A name and a value that are kept with an object, for lifecycle rules and bills.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>
package struct ObjectTag: Hashable, Sendable {
  /// Tags that an object has at most.
  package static let limit = 10

  /// 1…128 characters.
  package let name: String
  /// 0…256 characters; `{repository}` stands for the repository that the blob came from.
  package let value: String

  /// - Returns: nil for what S3 does not take.
  package init?(_ name: String, _ value: String) {
    guard (1...128).contains(name.count), value.count <= 256, !name.hasPrefix("aws:"),
      (name + value).unicodeScalars.allSatisfy({ scalar in
        scalar.properties.isAlphabetic || scalar.properties.numericType != nil
          || " +-=._:/@{}".unicodeScalars.contains(scalar)
      })
    else { return nil }
    self.name = name
    self.value = value
  }

  /// As a query's parameter.
  var encoded: String { "\(PercentEncoding.string(name))=\(PercentEncoding.string(value))" }

  /// With the repository's name in the place that was left for it.
  package func naming(repository: String) -> ObjectTag {
    let parts = value.split(separator: "{repository}", omittingEmptySubsequences: false)
    guard parts.count > 1 else { return self }
    return ObjectTag(name, String(parts.joined(separator: repository).prefix(256))) ?? self
  }
}
