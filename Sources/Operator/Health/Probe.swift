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
internal import Threading

/// Looks every few seconds at what bloblo needs, on a thread of its own: no request waits for it, and no
/// page asks anyone.
package final class Probe: BackgroundService {
  static let interval = Duration.seconds(5)
  /// How long a server may take to be called well.
  private static let patience = Duration.seconds(3)

  let health: Health
  private let location: Location
  private let credentials: SigningCredentials
  private let filler: Filler
  private let logger: Logger
  private let notices: Notices
  private let round: @Sendable () -> Void
  private let isStopped = Monitor(false)

  /// - Parameter round: called once in each round, for what else is due now and then.
  package init(
    health: Health, location: Location, credentials: SigningCredentials, filler: Filler,
    logger: Logger, notices: Notices, round: @escaping @Sendable () -> Void
  ) {
    self.health = health
    self.location = location
    self.credentials = credentials
    self.filler = filler
    self.logger = logger
    self.notices = notices
    self.round = round
  }

  package func start() {
    let thread = Thread.start("probe") { [self] in
      var http = HTTPClient()
      repeat {
        look(&http)
        round()
      } while isStopped.wait(for: Self.interval) { $0 ? true : nil } == nil
    }
    guard let thread else {
      return logger.error(
        "cannot create a thread",
        metadata: ["thread": "probe", "advice": "there are no health checks: start bloblo again"])
    }
    thread.detach()
  }

  package func stop() { isStopped.update { $0 = true } }

  private func look(_ http: inout HTTPClient) {
    // A kept connection may be better than the next one.
    http = HTTPClient()
    learn(.credential, credentialVerdict(at: .now()))
    learn(
      .spool,
      location.settings.fill == .off
        ? .unwatched("No fills: BLOBLO_FILL=off.") : .ofSpool(filler.spoolFolder))
    learn(.bucket, bucket(&http))
    learn(.upstream, upstream(&http))
  }

  /// A change is told to the log, once.
  package func learn(_ need: Need, _ verdict: Verdict) {
    let before = health.learn(need, verdict)
    guard before.state != verdict.state else { return }
    switch (before.state, verdict.state) {
    case (_, .bad):
      logger.error(
        "health check failed",
        metadata: ["dependency": "\(need.word)", "advice": "\(verdict.sentence)"])
    case (.bad, .good):
      logger.info("health check recovered", metadata: ["dependency": "\(need.word)"])
    default: break
    }
  }

  // MARK: the needs

  private func credentialVerdict(at now: UnixTime) -> Verdict {
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

  /// Asks for an object as requests do. That it is not there is well, if the bucket is: to HEAD both say 404.
  private func bucket(_ http: inout HTTPClient) -> Verdict {
    var client = location.store.bucket
    client.limits.head = min(client.limits.head, Self.patience)
    client.limits.connect = min(client.limits.connect, Self.patience)
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

  /// The registry's own question whether it is one.
  ///
  /// Source: OCI distribution-spec, end-1.
  private func upstream(_ http: inout HTTPClient) -> Verdict {
    let registry = location.settings.upstream
    var limits = registry.limits
    limits.head = min(limits.head, Self.patience)
    limits.connect = min(limits.connect, Self.patience)
    let request = HTTPRequest(
      .get, "\(registry.url)/v2/", fields: [HTTPField("Via", "1.1 bloblo")], limits: limits)
    do throws(TransportError) {
      let head = try http.send(request, bodyLimit: 1 << 20).head
      noteOpenness(head)
      switch head.status {
      case 200, 401, 403: return .good("\(registry.url) answers.")
      default:
        return .bad(
          "\(registry.url)/v2/ answers with status \(head.status). Nothing can be proved, so all passes. Is BLOBLO_UPSTREAM_URL the registry's own address?"
        )
      }
    } catch {
      return .bad(
        "\(registry.url) does not answer: \(error.message). Nothing can be proved, so all passes to it. Is the registry up, and BLOBLO_UPSTREAM_URL its address?"
      )
    }
  }
}

extension Probe {
  /// A registry that answers a question without a credential lets everybody read, as far as it is asked.
  fileprivate func noteOpenness(_ head: HTTPResponseHead) {
    if head.status == 200, !head.isPage {
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
  /// No blob that a client asks for.
  static var ofNothing: Digest {
    guard let digest = Digest("sha256:" + String(repeating: "0", count: 64)) else {
      preconditionFailure("64 zeros are a SHA-256")
    }
    return digest
  }
}
