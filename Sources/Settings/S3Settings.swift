internal import HTTPTransport
internal import S3
internal import Store

/// The settings of the bucket.
package struct S3Settings {
  var bucket: Bucket
  var keyTemplate: ObjectKeyTemplate
  var limits: HTTPLimits
  var uploadOptions: UploadOptions
  var cloudFront: CloudFrontSigner?

  /// Settings that hold for all locations, of those that are read here.
  package static let commonNames: Set<String> = [
    "BLOBLO_USE_LOCALSTACK", "BLOBLO_S3_TIMEOUT", "BLOBLO_S3_CA_FILE", "BLOBLO_S3_USE_FIPS",
    "BLOBLO_S3_USE_DUALSTACK", "BLOBLO_S3_ACCELERATE", "BLOBLO_S3_SSE", "BLOBLO_S3_SSE_KMS_KEY_ID",
    "BLOBLO_S3_SSE_BUCKET_KEY", "BLOBLO_S3_STORAGE_CLASS", "BLOBLO_S3_TAGS",
    "BLOBLO_S3_REQUESTER_PAYS", "BLOBLO_CLOUDFRONT_URL", "BLOBLO_CLOUDFRONT_KEY_PAIR_ID",
    "BLOBLO_CLOUDFRONT_PRIVATE_KEY_FILE",
    "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE",
    "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT",
  ]

  /// - Returns: `nil` when something is wrong; the reader knows what.
  init?(_ reader: inout SettingsReader) {
    let isLocalStack = reader.boolean("BLOBLO_USE_LOCALSTACK", default: false)
    let timeout = reader.duration(
      "BLOBLO_S3_TIMEOUT", default: .seconds(5), in: .milliseconds(100)...(.seconds(60)))
    let limits = HTTPLimits(
      connect: .seconds(5), head: timeout, stall: max(.seconds(3), timeout * 6),
      authoritiesFile: reader.readableFile("BLOBLO_S3_CA_FILE")
        ?? reader.readableFile("AWS_CA_BUNDLE"))
    let template = reader.keyTemplate()
    uploadOptions = reader.uploadOptions()
    cloudFront = reader.cloudFront()
    guard let bucket = reader.bucket(isLocalStack: isLocalStack), let template
    else { return nil }
    self.bucket = bucket
    self.limits = limits
    keyTemplate = template
  }
}

extension SettingsReader {
  fileprivate mutating func bucket(isLocalStack: Bool) -> Bucket? {
    let endpointName = set("BLOBLO_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    let endpointText = text(endpointName) ?? (isLocalStack ? "http://localhost:4566" : nil)
    let problemsBefore = problems.count
    let endpoint = endpoint(endpointName, endpointText)
    let publicName = "BLOBLO_S3_PUBLIC_ENDPOINT_URL"
    let publicEndpoint = self.endpoint(publicName, text(publicName))
    // An access point's ARN has its own region.
    let isARN = text("BLOBLO_S3_BUCKET_NAME")?.hasPrefix("arn:") ?? false
    // Servers that are not AWS take any region, and most call theirs so.
    let regionName = set("BLOBLO_S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION")
    let region =
      text(regionName) ?? (endpointText == nil && !isARN ? nil : "us-east-1")
    if region == nil {
      refuse("BLOBLO_S3_REGION: want the bucket's region, such as eu-west-1; AWS_REGION counts too")
    }
    let style = optional(
      "BLOBLO_S3_ADDRESSING_STYLE",
      want: "one of \(AddressingStyle.allCases.map(\.rawValue).joined(separator: ", "))"
    ) {
      AddressingStyle(rawValue: $0)
    }
    let awsOptions = AWSEndpointOptions(
      isFIPS: boolean("BLOBLO_S3_USE_FIPS", "AWS_USE_FIPS_ENDPOINT"),
      isDualStack: boolean("BLOBLO_S3_USE_DUALSTACK", "AWS_USE_DUALSTACK_ENDPOINT"),
      isAccelerated: boolean("BLOBLO_S3_ACCELERATE", default: false))
    if endpoint != nil, awsOptions.isAccelerated {
      refuse("BLOBLO_S3_ACCELERATE: want no endpoint set with it: AWS has its own for that")
    }
    guard problems.count == problemsBefore, let region else { return nil }
    do {
      return try Bucket(
        text("BLOBLO_S3_BUCKET_NAME") ?? "sample-bucket", region: region, endpoint: endpoint,
        publicEndpoint: publicEndpoint, style: style, aws: awsOptions)
    } catch {
      let name =
        switch error {
        case .invalidRegion where !isARN: regionName
        case .invalidEndpoint: style == nil ? endpointName : "BLOBLO_S3_ADDRESSING_STYLE"
        default: "BLOBLO_S3_BUCKET_NAME"
        }
      refuse("\(name): \(error)")
      return nil
    }
  }

  /// The first of these settings that is set; else the first.
  private func set(_ names: String...) -> String { names.first { text($0) != nil } ?? names[0] }

  /// Ours, or AWS's own.
  private mutating func boolean(_ name: String, _ other: String) -> Bool {
    boolean(text(name) == nil ? other : name, default: false)
  }

  private mutating func endpoint(_ name: String, _ text: String?) -> Endpoint? {
    guard let text else { return nil }
    do {
      return try Endpoint(text)
    } catch {
      refuse("\(name): \(error)")
      return nil
    }
  }

  fileprivate mutating func keyTemplate() -> ObjectKeyTemplate? {
    guard let text = text("BLOBLO_S3_KEY_TEMPLATE") else { return .digest }
    do {
      return try ObjectKeyTemplate(text)
    } catch {
      refuse("BLOBLO_S3_KEY_TEMPLATE: \(error)")
      return nil
    }
  }
}
