internal import HTTPTransport
internal import Primitives

/// A bucket and the ways to it.
package struct Bucket: Hashable, Sendable {
  /// As it was given: a bucket's name, an access point's alias or its ARN.
  package let name: String
  package let region: String
  /// As bloblo sees it.
  package let endpoint: Endpoint
  /// As clients see it: presigned URLs are for this one.
  package let publicEndpoint: Endpoint
  package let style: AddressingStyle
  /// What names it in a URL.
  private let label: String
  private let given: Given

  /// What an endpoint of another region is made from.
  private struct Given: Hashable {
    var endpoint: Endpoint?
    var publicEndpoint: Endpoint?
    var style: AddressingStyle?
    var aws: AWSEndpointOptions
  }

  /// - Parameters:
  ///   - name: a bucket's, or an access point's ARN.
  ///   - region: an ARN's own comes before it.
  ///   - endpoint: nil for AWS's of the region.
  ///   - publicEndpoint: nil for `endpoint`.
  ///   - style: nil for what the endpoint serves for sure: `path` on one that was named; `virtual` on
  ///     AWS, but for a name with dots.
  ///   - aws: which of AWS's, where none is named.
  package init(
    _ name: String, region: String, endpoint: Endpoint? = nil, publicEndpoint: Endpoint? = nil,
    style: AddressingStyle? = nil, aws: AWSEndpointOptions = AWSEndpointOptions()
  ) throws(S3Error) {
    let accessPoint = try AccessPoint(name)
    if accessPoint == nil { try Self.check(name) }
    let region = accessPoint?.region ?? region
    guard Region.isValid(region) else { throw .invalidRegion(region) }
    given = Given(endpoint: endpoint, publicEndpoint: publicEndpoint, style: style, aws: aws)
    self.name = name
    self.region = region
    label = accessPoint?.hostLabel ?? name
    if let endpoint {
      self.endpoint = endpoint
    } else {
      self.endpoint = try .aws(region: region, aws, isForAccessPoint: accessPoint != nil)
    }
    self.publicEndpoint = publicEndpoint ?? self.endpoint
    let needsHost = accessPoint != nil || (endpoint == nil && aws.isAccelerated)
    self.style =
      style ?? (needsHost ? .virtual : endpoint != nil || name.contains(".") ? .path : .virtual)
    guard self.style == .virtual else {
      guard !needsHost else {
        throw .invalidBucketName(
          name, reason: "it can only be named by the host: want virtual style")
      }
      return
    }
    for endpoint in [self.endpoint, self.publicEndpoint] {
      guard !endpoint.isAddress else {
        throw .invalidEndpoint(reason: "virtual addressing needs a host name, got \(endpoint.host)")
      }
      guard endpoint.scheme == .http || !label.contains(".") else {
        throw .invalidBucketName(
          name, reason: "no certificate covers a name with dots before the host: want path style")
      }
    }
  }

  /// The same bucket, said to be in another region; nil where an ARN says which.
  package func moved(to region: String) throws(S3Error) -> Bucket? {
    guard label == name else { return nil }
    return try Bucket(
      name, region: region, endpoint: given.endpoint, publicEndpoint: given.publicEndpoint,
      style: given.style, aws: given.aws)
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
      url.append(contentsOf: label.utf8)
      url.append(UInt8(ascii: "."))
    }
    url.append(contentsOf: endpoint.authority.utf8)
    let hostEnd = url.count
    url.append(contentsOf: endpoint.pathPrefix.utf8)
    url.append(UInt8(ascii: "/"))
    if style == .path {
      url.append(contentsOf: label.utf8)
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
    for (suffix, what) in [
      ("--x-s3", "a directory bucket"), ("--op-s3", "an Outposts access point"),
    ]
    where name.hasSuffix(suffix) {
      throw .invalidBucketName(name, reason: "\(what) has another API than S3's own")
    }
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
