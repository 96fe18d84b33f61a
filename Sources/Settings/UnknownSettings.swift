/// Variables with bloblo's prefix that are no settings: most are misspelt.
struct UnknownSettings {
  /// A warning for each, with the nearest right name.
  let sentences: [String]

  init(_ environment: [String: String]) {
    sentences = environment.keys.filter(Self.isMisspelt).sorted().map { name in
      guard let nearest = Self.nearest(to: name.uppercased()) else {
        return "\(name): unknown, ignored"
      }
      return "\(name): unknown, ignored; did you mean \(nearest)?"
    }
  }

  /// Reports names with bloblo's prefix in any case, and AWS's names that are close to one that bloblo reads, but not
  /// those that other tools read.
  private static func isMisspelt(_ name: String) -> Bool {
    let capital = name.uppercased()
    if capital.hasPrefix("BLOBLO_") { return !known.contains(name) }
    guard capital.hasPrefix("AWS_"), !awsNames.contains(name) else { return false }
    return awsNames.contains { editDistance($0, capital) <= 2 }
  }

  /// The right name for a wrong one: from a list of frequent mistakes, a name that begins with it or has all its
  /// words, or the name with the fewest letters changed.
  private static func nearest(to name: String) -> String? {
    if known.contains(name) || awsNames.contains(name) { return name }
    if let meant = oftenWritten[name] { return meant }
    let words = Set(name.split(separator: "_"))
    let wider = known.filter { words.isSubset(of: Set($0.split(separator: "_"))) }
    if wider.count == 1 { return wider.first }
    let nearest = known.union(awsNames).min {
      (editDistance($0, name), $0) < (editDistance($1, name), $1)
    }
    guard let nearest, editDistance(nearest, name) <= 4 else { return nil }
    return nearest
  }

  private static let oftenWritten = [
    "BLOBLO_S3_BUCKET": "BLOBLO_S3_BUCKET_NAME", "BLOBLO_BUCKET": "BLOBLO_S3_BUCKET_NAME",
    "BLOBLO_BUCKET_NAME": "BLOBLO_S3_BUCKET_NAME", "BLOBLO_LISTEN": "BLOBLO_LISTEN_ADDR",
    "BLOBLO_SOCKET": "BLOBLO_LISTEN_ADDR", "BLOBLO_FILL_MODE": "BLOBLO_FILL",
    "BLOBLO_MODE": "BLOBLO_DELIVERY", "BLOBLO_REGISTRY": "BLOBLO_UPSTREAM_URL",
    "BLOBLO_REGISTRY_URL": "BLOBLO_UPSTREAM_URL", "BLOBLO_UPSTREAM": "BLOBLO_UPSTREAM_URL",
    "BLOBLO_S3_SECRET": "AWS_SECRET_ACCESS_KEY", "BLOBLO_S3_SECRET_KEY": "AWS_SECRET_ACCESS_KEY",
    "BLOBLO_S3_SECRET_ACCESS_KEY": "AWS_SECRET_ACCESS_KEY",
    "BLOBLO_S3_ACCESS_KEY": "AWS_ACCESS_KEY_ID", "BLOBLO_S3_ACCESS_KEY_ID": "AWS_ACCESS_KEY_ID",
    "BLOBLO_S3_KEY": "AWS_ACCESS_KEY_ID", "BLOBLO_S3_URL": "BLOBLO_S3_ENDPOINT_URL",
    "BLOBLO_S3_ENDPOINT": "BLOBLO_S3_ENDPOINT_URL", "BLOBLO_REGION": "BLOBLO_S3_REGION",
  ]

  /// AWS's names that bloblo reads, and those of AWS's tools that look like them.
  static let awsNames: Set<String> = [
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION",
    "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_STS", "AWS_CA_BUNDLE", "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_EC2_METADATA_DISABLED", "AWS_STS_REGIONAL_ENDPOINTS",
    "AWS_ACCOUNT_ID", "AWS_SECURITY_TOKEN", "AWS_PAGER", "AWS_PARTITION",
  ]

  private static var known: Set<String> { Declared.names }
}
