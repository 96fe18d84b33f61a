internal import Primitives

/// A name and a value that are kept with an object, for lifecycle rules and bills.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>
package struct ObjectTag: Hashable, Sendable {
  /// Tags that an object has at most.
  package static let limit = 10

  /// 1…128 characters.
  package let name: String
  /// 0…256 characters.
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
}
