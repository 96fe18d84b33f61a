internal import HTTPTransport
package import Primitives

/// What HEAD tells of an object.
package struct ObjectHead: Hashable, Sendable {
  package let size: Int64
  package let eTag: String?
  /// When a lifecycle rule will remove it, if one will (`x-amz-expiration`).
  package let expiration: UnixTime?

  package init(size: Int64, eTag: String? = nil, expiration: UnixTime? = nil) {
    self.size = size
    self.eTag = eTag
    self.expiration = expiration
  }

  /// nil without a size.
  init?(_ head: HTTPResponseHead) {
    guard let size = head.contentLength, size >= 0 else { return nil }
    self.init(
      size: size, eTag: head.eTag,
      expiration: head.fields.first(named: "x-amz-expiration").flatMap { Self.expiration($0.text) })
  }

  /// - Parameter value: `expiry-date="Fri, 21 Dec 2012 00:00:00 GMT", rule-id="…"`
  static func expiration(_ value: String) -> UnixTime? {
    for part in value.split(separator: "\"") where part.hasSuffix(" GMT") {
      if let time = UnixTime(httpDate: part) { return time }
    }
    return nil
  }
}
