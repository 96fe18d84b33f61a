package import Fill
package import Gateway
internal import HTTPTransport
package import Logging
internal import Primitives
internal import Registry
internal import S3
internal import Settings
package import Store
package import Telemetry

/// Checks every few seconds the dependencies of bloblo, on a thread of its own. Requests and pages read the last
/// result and never wait for a check.
package final class HealthChecker: Sendable {
  package static let interval = Duration.seconds(5)

  let health: Health
  private let location: Location
  private let credentials: SigningCredentials
  private let filler: Filler
  private let logger: Logger
  private let notices: Notices

  package init(
    health: Health, location: Location, credentials: SigningCredentials, filler: Filler,
    logger: Logger, notices: Notices
  ) {
    self.health = health
    self.location = location
    self.credentials = credentials
    self.filler = filler
    self.logger = logger
    self.notices = notices
  }

  /// Checks each dependency once.
  package func check() {
    // A new connection for each round: a kept one may work when new ones fail.
    var http = HTTPClient()
    learn(.credential, credentialStatus(at: .now()))
    learn(
      .spool,
      location.settings.fill == .off
        ? .unwatched("No fills: BLOBLO_FILL=off.") : .ofSpool(filler.spoolFolder))
    learn(.bucket, bucket(&http))
    learn(.upstream, upstream(&http))
  }

  /// Keeps a result; logs it when it differs from the last one.
  package func learn(_ dependency: Dependency, _ status: HealthStatus) {
    let before = health.learn(dependency, status)
    guard before.state != status.state else { return }
    switch (before.state, status.state) {
    case (_, .bad):
      logger.error(
        "health check failed",
        metadata: ["dependency": "\(dependency.word)", "advice": "\(status.sentence)"])
    case (.bad, .good):
      logger.info("health check recovered", metadata: ["dependency": "\(dependency.word)"])
    default: break
    }
  }

  // MARK: the dependencies

  private func credentialStatus(at now: UnixTime) -> HealthStatus {
    let time = credentials.clock.time(at: now)
    guard let held = credentials.store.current(at: time) else {
      let why = credentials.record.trouble ?? "the last one has ended, or none was obtained yet"
      return .bad(
        "There is no credential: \(why). Blobs pass to the registry. Fix the credential source; bloblo keeps retrying."
      )
    }
    let source = "\(held.source), \(held.credential.accessKeyID)"
    guard let end = held.credential.expiration else { return .good("From \(source); without end.") }
    return .good("From \(source); for \(end - time) s more.")
  }

  /// Asks for an object as requests do. Its absence is fine if the bucket exists; to HEAD both are a 404, so the
  /// bucket is asked for then.
  private func bucket(_ http: inout HTTPClient) -> HealthStatus {
    var client = location.store.bucket
    client.limits = client.limits.forLook
    let bucket = client.bucket
    do throws(S3Error) {
      let key = try location.store.key(of: .ofNothing)
      try look(for: key, client, &http)
      return .good("\(bucket.name) at \(bucket.endpoint) answers.")
    } catch {
      return .bad(
        "\(bucket.name) at \(bucket.endpoint): \(error). Blobs pass to the registry. \(error.advice)"
      )
    }
  }

  private func look(
    for key: ObjectKey, _ client: BucketClient, _ http: inout HTTPClient
  ) throws(S3Error) {
    if try client.head(key, over: &http, now: .now()) == nil {
      try client.headBucket(over: &http, now: .now())
    }
  }

  /// Sends the ping by which the specification finds a registry.
  ///
  /// Source: OCI distribution-spec, end-1.
  private func upstream(_ http: inout HTTPClient) -> HealthStatus {
    let registry = location.settings.upstream
    let request = HTTPRequest(
      .get, "\(registry.url)/v2/", fields: [HTTPField("Via", "1.1 bloblo")],
      limits: registry.limits.forLook)
    do throws(TransportError) {
      let head = try http.send(request, bodyLimit: 1 << 20).head
      noteOpenness(head)
      switch head.status {
      case 200, 401, 403: return .good("\(registry.url) answers.")
      default:
        return .bad(
          "\(registry.url)/v2/ answers with status \(head.status). bloblo gets no proofs, so all blobs pass. Is BLOBLO_UPSTREAM_URL the registry's own address?"
        )
      }
    } catch {
      return .bad(
        "\(registry.url) does not answer: \(error.message). bloblo gets no proofs, so all blobs pass. Is the registry up, and BLOBLO_UPSTREAM_URL its address?"
      )
    }
  }
}

extension HealthChecker {
  /// Raises a notice about a registry that answers without a credential: it seems to let everybody read.
  fileprivate func noteOpenness(_ head: HTTPResponseHead) {
    if head.status == 200, !head.isHTML {
      notices.raise(
        .openRegistry,
        "\(location.settings.upstream.url)/v2/ answers 200 without a credential: "
          + Notice.openRegistryAdvice)
    } else {
      notices.lower(.openRegistry)
    }
  }
}

extension Digest {
  /// A digest that no client asks for.
  static var ofNothing: Digest {
    guard let digest = Digest("sha256:" + String(repeating: "0", count: 64)) else {
      preconditionFailure("64 zeros are a SHA-256")
    }
    return digest
  }
}
