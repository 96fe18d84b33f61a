import Fill
import Glibc
import HTTPTransport
import Logging
import Primitives
import Registry
import S3
import Threading

/// Looks every few seconds at what bloblo needs, on a thread of its own: no request waits for it, and no
/// page asks anyone.
final class Probe: Sendable {
  static let interval = Duration.seconds(5)
  /// How long a server may take to be called well.
  private static let patience = Duration.seconds(3)

  let health: Health
  private let location: Location
  private let credentials: SigningCredentials
  private let filler: Filler
  private let logger: Logger
  private let round: @Sendable () -> Void
  private let isStopped = Monitor(false)

  /// - Parameter round: called once in each round, for what else is due now and then.
  init(
    _ health: Health, _ location: Location, _ credentials: SigningCredentials, _ filler: Filler,
    _ logger: Logger, round: @escaping @Sendable () -> Void
  ) {
    self.health = health
    self.location = location
    self.credentials = credentials
    self.filler = filler
    self.logger = logger
    self.round = round
  }

  func start() {
    Thread.start("probe") { [self] in
      var http = HTTPClient()
      repeat {
        look(&http)
        round()
      } while isStopped.wait(for: Self.interval) { $0 ? true : nil } == nil
    }?.detach()
  }

  func stop() { isStopped.update { $0 = true } }

  private func look(_ http: inout HTTPClient) {
    learn(.credential, credentialVerdict(at: .now()))
    learn(.spool, location.settings.fill == .off ? .good("No fills: BLOBLO_FILL=off.") : spool())
    learn(.bucket, bucket(&http))
    learn(.upstream, upstream(&http))
  }

  /// A change is told to the log, once.
  private func learn(_ need: Need, _ verdict: Verdict) {
    let before = health.learn(need, verdict)
    guard before.state != verdict.state else { return }
    switch (before.state, verdict.state) {
    case (_, .bad):
      logger.error(
        "not well: \(need.word)",
        metadata: ["need": "\(need.word)", "advice": "\(verdict.sentence)"])
    case (.bad, .good):
      logger.info("well again: \(need.word)", metadata: ["need": "\(need.word)"])
    default: break
    }
  }

  // MARK: the needs

  private func credentialVerdict(at now: UnixTime) -> Verdict {
    let time = credentials.clock.time(at: now)
    guard let held = credentials.store.current(at: time) else {
      let why = credentials.log.trouble ?? "the last one has ended, or none was obtained yet"
      return .bad(
        "There is no credential: \(why). Blobs pass to the registry. Mend the source; bloblo goes on asking it."
      )
    }
    let source = "\(held.source), \(held.credential.accessKeyID)"
    guard let end = held.credential.expiration else { return .good("From \(source); without end.") }
    return .good("From \(source); for \(end - time) s more.")
  }

  private func spool() -> Verdict {
    let folder = filler.spoolFolder
    guard isWritableFolder(folder) else {
      return .bad(
        "\(folder) is no folder that bloblo may write to: \(words(errno)). Cold blobs pass without being filled. Create it, or set BLOBLO_SPOOL_DIR."
      )
    }
    guard let free = freeBytes(of: folder) else {
      return .bad("\(folder) can't be looked at: \(words(errno)). Set BLOBLO_SPOOL_DIR.")
    }
    guard free >= Self.leastFreeBytes else {
      return .bad(
        "\(folder) is full: \(bytesInWords(free)) are free. Larger cold blobs pass without being filled. Make room, or set BLOBLO_SPOOL_DIR."
      )
    }
    return .good("\(folder): \(bytesInWords(free)) free.")
  }

  /// A disk with less free is called full.
  private static let leastFreeBytes: Int64 = 64 << 20

  /// Asks for an object as requests do. That it is not there is well, if the bucket is: to HEAD both say 404.
  private func bucket(_ http: inout HTTPClient) -> Verdict {
    var client = location.store.bucket
    client.limits.head = min(client.limits.head, Self.patience)
    client.limits.connect = min(client.limits.connect, Self.patience)
    let bucket = client.bucket
    do throws(S3Error) {
      let key = try location.store.key(of: .ofNothing)
      if try client.head(key, over: &http, now: .now()) == nil {
        try client.headBucket(over: &http, now: .now())
      }
      return .good("\(bucket.name) at \(bucket.endpoint) answers.")
    } catch {
      return .bad(
        "\(bucket.name) at \(bucket.endpoint): \(error). Blobs pass to the registry. \(error.advice)"
      )
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

extension Digest {
  /// No blob that a client asks for.
  fileprivate static var ofNothing: Digest {
    guard let digest = Digest("sha256:" + String(repeating: "0", count: 64)) else {
      preconditionFailure("64 zeros are a SHA-256")
    }
    return digest
  }
}

extension S3Error {
  /// What an operator can do about it.
  var advice: String {
    switch self {
    case .transport: "Is BLOBLO_S3_ENDPOINT_URL right, and S3 reachable from this host?"
    case .noCredential, .credentialEnds: "See the credential."
    case .refused(_, let refusal) where refusal.status == 404:
      "Create the bucket, or set BLOBLO_S3_BUCKET_NAME."
    case .refused(_, let refusal) where refusal.status == 403:
      "The policy must allow s3:ListBucket on the bucket, s3:GetObject and s3:PutObject on its objects; or the credential is wrong, or this host's clock."
    case .refused(_, let refusal) where refusal.status >= 500: "S3 itself is in trouble."
    case .refused, .unexpectedAnswer:
      "Is BLOBLO_S3_ENDPOINT_URL an S3 service, and BLOBLO_S3_REGION right?"
    default: "Check the BLOBLO_S3_ settings."
    }
  }
}

private func words(_ code: Int32) -> String {
  unsafe String(cString: strerror(code))
}

private func freeBytes(of folder: String) -> Int64? {
  var facts = statvfs()
  guard unsafe statvfs(folder, &facts) == 0 else { return nil }
  return Int64(facts.f_bavail) * Int64(facts.f_frsize)
}
