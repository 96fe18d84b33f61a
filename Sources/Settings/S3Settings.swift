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

  /// - Returns: `nil` when something is wrong; the reader has the error.
  init?(_ reader: inout SettingsReader) {
    let isLocalStack = reader.value(Declared.useLocalStack)
    let timeout = reader.value(Declared.s3Timeout)
    let limits = HTTPLimits(
      connect: .seconds(5), head: timeout, idle: max(.seconds(3), timeout * 6),
      caFile: reader.value(Declared.s3Authorities)
        ?? reader.value(Declared.awsAuthorities))
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
    let endpointSetting = set(
      Declared.endpointURL, Declared.awsEndpointURLS3, Declared.awsEndpointURL)
    let endpointName = endpointSetting.name
    let endpointText = text(endpointSetting) ?? (isLocalStack ? "http://localhost:4566" : nil)
    let problemsBefore = problems.count
    let endpoint = endpoint(endpointName, endpointText)
    let publicEndpoint = self.endpoint(
      Declared.publicEndpointURL.name, text(Declared.publicEndpointURL))
    // An access point's ARN has its own region.
    let isARN = text(Declared.bucketName)?.hasPrefix("arn:") ?? false
    // Servers other than AWS take any region, and most call theirs so.
    let regionSetting = set(Declared.region, Declared.awsRegion, Declared.awsDefaultRegion)
    let region =
      text(regionSetting) ?? (endpointText == nil && !isARN ? nil : "us-east-1")
    if region == nil {
      refuse(
        "\(Declared.region.name): want the bucket's region, such as eu-west-1; AWS_REGION counts too"
      )
    }
    let style = value(Declared.addressingStyle)
    let awsOptions = AWSEndpointOptions(
      isFIPS: either(Declared.useFIPS, Declared.awsUseFIPS),
      isDualStack: either(Declared.useDualStack, Declared.awsUseDualStack),
      isAccelerated: value(Declared.accelerate))
    if endpoint != nil, awsOptions.isAccelerated {
      refuse("\(Declared.accelerate.name): want no endpoint set with it: AWS has its own for that")
    }
    guard problems.count == problemsBefore, let region else { return nil }
    do {
      let bucket = try Bucket(
        value(Declared.bucketName), region: region, endpoint: endpoint,
        publicEndpoint: publicEndpoint, style: style, aws: awsOptions)
      // The endpoint that AWS's own settings, or none, lead to.
      holds(Declared.bucketName, bucket.name)
      holds(Declared.region, bucket.region)
      holds(Declared.endpointURL, "\(bucket.endpoint)")
      holds(Declared.publicEndpointURL, "\(bucket.publicEndpoint)")
      return bucket
    } catch {
      let name =
        switch error {
        case .invalidRegion where !isARN: regionSetting.name
        case .invalidEndpoint: style == nil ? endpointName : Declared.addressingStyle.name
        default: Declared.bucketName.name
        }
      refuse("\(name): \(error)")
      return nil
    }
  }

  /// The first of these settings that is set; else the first.
  private func set(_ settings: Setting<String?>...) -> Setting<String?> {
    settings.first { isSet($0) } ?? settings[0]
  }

  /// Ours, or AWS's own.
  private mutating func either(_ setting: Setting<Bool>, _ other: Setting<Bool>) -> Bool {
    value(isSet(setting) ? setting : other)
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
    do {
      return try ObjectKeyTemplate(value(Declared.keyTemplate))
    } catch {
      refuse("\(Declared.keyTemplate.name): \(error)")
      return nil
    }
  }
}
