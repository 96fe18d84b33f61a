import HTTPTransport
import Primitives
import S3

/// The settings of the bucket.
struct S3Settings {
  var bucket: Bucket
  var keyTemplate: ObjectKeyTemplate
  var limits: HTTPLimits

  /// - Returns: `nil` when something is wrong; the reader knows what.
  init?(_ reader: inout SettingsReader) {
    let isLocalStack = reader.boolean("BLOBLO_USE_LOCALSTACK", default: false)
    let limits = HTTPLimits(
      connect: .seconds(5),
      head: reader.duration(
        "BLOBLO_S3_TIMEOUT", default: .seconds(5), in: .milliseconds(100)...(.seconds(60))),
      stall: .seconds(30))
    let template = reader.keyTemplate()
    guard let bucket = reader.bucket(isLocalStack: isLocalStack), let template
    else { return nil }
    self.bucket = bucket
    self.limits = limits
    keyTemplate = template
  }
}

extension SettingsReader {
  fileprivate mutating func bucket(isLocalStack: Bool) -> Bucket? {
    let endpointName =
      text("BLOBLO_S3_ENDPOINT_URL") != nil ? "BLOBLO_S3_ENDPOINT_URL" : "AWS_ENDPOINT_URL"
    let endpointText =
      text("BLOBLO_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
      ?? (isLocalStack ? "http://localhost:4566" : nil)
    let problemsBefore = problems.count
    let endpoint = endpoint(endpointName, endpointText)
    let publicName = "BLOBLO_S3_PUBLIC_ENDPOINT_URL"
    let publicEndpoint = self.endpoint(publicName, text(publicName))
    // Servers that are not AWS take any region, and most call theirs so.
    let region =
      text("BLOBLO_S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION")
      ?? (endpointText == nil ? nil : "us-east-1")
    if region == nil {
      refuse("BLOBLO_S3_REGION: want the bucket's region, such as eu-west-1; AWS_REGION counts too")
    }
    let style = value(
      "BLOBLO_S3_ADDRESSING_STYLE", default: nil as AddressingStyle?,
      want: "one of \(AddressingStyle.allCases.map(\.rawValue).joined(separator: ", "))"
    ) {
      AddressingStyle(rawValue: $0)
    }
    guard problems.count == problemsBefore, let region else { return nil }
    do {
      return try Bucket(
        text("BLOBLO_S3_BUCKET_NAME") ?? "sample-bucket", region: region, endpoint: endpoint,
        publicEndpoint: publicEndpoint, style: style)
    } catch {
      refuse("BLOBLO_S3_BUCKET_NAME: \(error)")
      return nil
    }
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

  /// The credential in the environment.
  mutating func credential() -> Credential? {
    let fallback = boolean("BLOBLO_USE_LOCALSTACK", default: false) ? "test" : nil
    let id = text("AWS_ACCESS_KEY_ID") ?? fallback
    let secret = text("AWS_SECRET_ACCESS_KEY") ?? fallback
    if id == nil {
      refuse("AWS_ACCESS_KEY_ID: want the access key that signs for the bucket, got nothing")
    }
    if secret == nil {
      refuse("AWS_SECRET_ACCESS_KEY: want the secret of AWS_ACCESS_KEY_ID, got nothing")
    }
    guard let id, let secret else { return nil }
    return Credential(
      accessKeyID: id, secretAccessKey: Secret(secret),
      sessionToken: text("AWS_SESSION_TOKEN").map { Secret($0) })
  }
}
