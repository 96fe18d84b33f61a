/// A bucket and the ways to it.
package struct Bucket: Hashable, Sendable {
  package let name: String
  package let region: String
  /// As bloblo sees it.
  package let endpoint: Endpoint
  /// As clients see it: presigned URLs are for this one.
  package let publicEndpoint: Endpoint
  package let style: AddressingStyle

  /// - Parameters:
  ///   - endpoint: nil for AWS's of the region.
  ///   - publicEndpoint: nil for `endpoint`.
  ///   - style: nil for what the endpoint serves for sure: `path` on one that was named; `virtual` on
  ///     AWS, but for a name with dots.
  package init(
    _ name: String, region: String, endpoint: Endpoint? = nil, publicEndpoint: Endpoint? = nil,
    style: AddressingStyle? = nil
  ) throws(S3Error) {
    try Self.check(name)
    guard Region.isValid(region) else { throw .invalidRegion(region) }
    self.name = name
    self.region = region
    if let endpoint { self.endpoint = endpoint } else { self.endpoint = try .aws(region: region) }
    self.publicEndpoint = publicEndpoint ?? self.endpoint
    self.style = style ?? (endpoint != nil || name.contains(".") ? .path : .virtual)
    guard self.style == .virtual else { return }
    for endpoint in [self.endpoint, self.publicEndpoint] {
      guard !endpoint.isAddress else {
        throw .invalidEndpoint(reason: "virtual addressing needs a host name, got \(endpoint.host)")
      }
      guard endpoint.scheme == .http || !name.contains(".") else {
        throw .invalidBucketName(
          name, reason: "no certificate covers a name with dots before the host: want path style")
      }
    }
  }

  /// The absolute URL of an object, each segment of its path percent-encoded once.
  package func url(for key: ObjectKey, on endpoint: Endpoint) -> String {
    var url: [UInt8] = []
    _ = append(urlOf: key, on: endpoint, to: &url)
    return String(decoding: url, as: UTF8.self)
  }

  /// The absolute URL of the bucket itself.
  package func url(on endpoint: Endpoint) -> String {
    var url: [UInt8] = []
    _ = append(urlOf: nil, on: endpoint, to: &url)
    return String(decoding: url, as: UTF8.self)
  }

  /// - Returns: where in `url` the value of `Host` stands; the path is all behind it.
  func append(urlOf key: ObjectKey?, on endpoint: Endpoint, to url: inout [UInt8]) -> Range<Int> {
    url.append(contentsOf: endpoint.scheme.rawValue.utf8)
    url.append(contentsOf: "://".utf8)
    let hostStart = url.count
    if style == .virtual {
      url.append(contentsOf: name.utf8)
      url.append(UInt8(ascii: "."))
    }
    url.append(contentsOf: endpoint.authority.utf8)
    let hostEnd = url.count
    url.append(contentsOf: endpoint.pathPrefix.utf8)
    url.append(UInt8(ascii: "/"))
    if style == .path {
      url.append(contentsOf: name.utf8)
      if key != nil { url.append(UInt8(ascii: "/")) }
    }
    if let key {
      PercentEncoding.append(key.utf8, keepingSlash: true, to: &url)
    }
    return hostStart..<hostEnd
  }

  /// S3's rules, without those that older buckets and other servers need not keep.
  ///
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
  private static func check(_ name: String) throws(S3Error) {
    guard (3...63).contains(name.utf8.count) else {
      throw .invalidBucketName(name, reason: "want 3 to 63 characters, got \(name.utf8.count)")
    }
    func isAlphanumeric(_ byte: UInt8) -> Bool {
      (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte)
    }
    guard name.utf8.allSatisfy({ isAlphanumeric($0) || $0 == 0x2D || $0 == 0x2E }) else {
      throw .invalidBucketName(name, reason: "want lower-case letters, digits, dots and hyphens")
    }
    guard let first = name.utf8.first, let last = name.utf8.last, isAlphanumeric(first),
      isAlphanumeric(last), !name.contains("..")
    else {
      throw .invalidBucketName(
        name, reason: "want a letter or digit first and last, and no two dots together")
    }
  }
}
