/// Which of AWS's endpoints of a region is meant.
///
/// Source: <https://docs.aws.amazon.com/general/latest/gr/s3.html>
package struct AWSEndpointOptions: Hashable, Sendable {
  /// With modules validated after FIPS 140: `AWS_USE_FIPS_ENDPOINT`.
  package var isFIPS: Bool
  /// IPv6 and IPv4: `AWS_USE_DUALSTACK_ENDPOINT`.
  package var isDualStack: Bool
  /// By way of CloudFront's edges; the bucket must have it switched on.
  package var isAccelerated: Bool

  package init(isFIPS: Bool = false, isDualStack: Bool = false, isAccelerated: Bool = false) {
    self.isFIPS = isFIPS
    self.isDualStack = isDualStack
    self.isAccelerated = isAccelerated
  }
}

extension Endpoint {
  /// AWS's own endpoint of a region, without a bucket's name.
  ///
  /// - Parameter isForAccessPoint: access points have a name of their own there.
  /// - Throws: `.invalidRegion`, `.invalidEndpoint` for a combination that AWS does not have.
  package static func aws(
    region: String, _ options: AWSEndpointOptions = AWSEndpointOptions(),
    isForAccessPoint: Bool = false
  ) throws(S3Error) -> Endpoint {
    guard Region.isValid(region) else { throw .invalidRegion(region) }
    let partition = Partition(of: region)
    guard !options.isFIPS || partition.hasFIPS else {
      throw .invalidEndpoint(reason: "S3 has no FIPS endpoint in \(region)")
    }
    let dualStack = options.isDualStack ? ".dualstack" : ""
    if options.isAccelerated {
      guard partition != .china, !options.isFIPS, !isForAccessPoint else {
        throw .invalidEndpoint(
          reason: "transfer acceleration is for buckets, not in China and not with FIPS")
      }
      return try Endpoint("https://s3-accelerate\(dualStack).\(partition.domain)")
    }
    let service = isForAccessPoint ? "s3-accesspoint" : "s3"
    let fips = options.isFIPS ? "-fips" : ""
    return try Endpoint(
      "https://\(service)\(fips)\(dualStack).\(region.lowercased()).\(partition.domain)")
  }
}
