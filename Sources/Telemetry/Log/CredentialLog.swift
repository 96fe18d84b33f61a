package import Logging
internal import S3

/// Logs the events of a credential, and what bloblo learns about the bucket. It gets no secret.
package struct CredentialLog: CredentialObserver, BucketObserver {
  package let logger: Logger

  package init(
    logger: Logger
  ) {
    self.logger = logger
  }

  private func log(_ level: Logger.Level, _ message: Logger.Message, fields: Logger.Metadata) {
    logger.log(level: level, message, metadata: fields)
  }

  package func obtained(accessKeyID: String, source: String, lifeLeft: Int64?) {
    log(
      .info, "credential obtained",
      fields: [
        "credential.id": "\(accessKeyID)", "credential.source": "\(source)",
        "credential.life": "\(lifeLeft.map { "\($0)s" } ?? "without end")",
      ])
  }

  package func failed(_ reason: String, lifeLeft: Int64?) {
    switch lifeLeft {
    case .max?:
      log(
        .warning, "credential not refreshed; the old one serves as long as it lives",
        fields: ["reason": "\(reason)", "credential.life": "without end"])
    case let seconds? where seconds > 0:
      log(
        .warning, "credential not refreshed; the old one serves as long as it lives",
        fields: ["reason": "\(reason)", "credential.life": "\(seconds)s"])
    default:
      log(
        .error, "no credential: blobs pass to the registry until one is obtained",
        fields: ["reason": "\(reason)"])
    }
  }

  package func ended(accessKeyID: String) {
    log(
      .error, "the credential has ended: blobs pass to the registry until another is obtained",
      fields: ["credential.id": "\(accessKeyID)"])
  }

  package func regionLearnt(_ region: String, insteadOf old: String) {
    log(
      .warning, "the bucket is in another region than BLOBLO_S3_REGION says; its own is used",
      fields: ["s3.region": "\(region)", "s3.region.set": "\(old)"])
  }

  package func clockDiffers(by seconds: Int64) {
    guard seconds != 0 else {
      return log(.info, "this machine's clock agrees with S3's again", fields: [:])
    }
    log(
      .warning,
      "this machine's clock differs from S3's",
      fields: [
        "clock.correction": "\(seconds)s",
        "advice": "bloblo corrects its signatures; set the clock by NTP",
      ])
  }
}
