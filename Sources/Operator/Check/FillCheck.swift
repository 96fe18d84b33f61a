internal import Fill
internal import HTTPTransport
internal import Offload
internal import Registry
internal import Settings

/// Whether a GET of a cold blob brings it into the bucket.
struct FillCheck {
  /// What keeps a GET from filling the bucket, and what to do.
  struct Obstacle {
    let words: String
    let advice: String
  }

  private static let hopLimit = 3

  private let location: LocationSettings
  private let path: BlobPath
  private let client: ClientFields

  init(location: LocationSettings, path: BlobPath, client: ClientFields) {
    self.location = location
    self.path = path
    self.client = client
  }

  /// - Parameters:
  ///   - proof: `nil` when the registry gives none.
  ///   - spool: the bytes that spools may have.
  /// - Returns: the first obstacle that was found; `nil` without one.
  func run(
    _ proof: BlobProof?, spool: Int64, report: inout CheckReport, over http: inout HTTPClient
  ) -> Obstacle? {
    let reading = proof == nil ? nil : read(&report, &http)
    return ofSettings ?? ofProof(proof) ?? ofSize(reading?.size ?? proof?.size, spool: spool)
      ?? ofBucket(report) ?? reading?.obstacle
  }

  private var ofSettings: Obstacle? {
    if location.policy.delivery == .pass {
      return Obstacle(words: "BLOBLO_DELIVERY=pass", advice: "set BLOBLO_DELIVERY=redirect")
    }
    guard location.fill == .off else { return nil }
    return Obstacle(
      words: "BLOBLO_FILL=off",
      advice: "set BLOBLO_FILL=tee, or fill the bucket by `bloblo warm`")
  }

  private func ofProof(_ proof: BlobProof?) -> Obstacle? {
    guard proof == nil else { return nil }
    return Obstacle(
      words: "the registry has not allowed this client to read it",
      advice: "see upstream.proof above; BLOBLO_CHECK_AUTHORIZATION is the credential that is tried"
    )
  }

  private func ofSize(_ size: Int64?, spool: Int64) -> Obstacle? {
    guard let size else { return nil }
    if size < location.policy.minimumBlobSize {
      return Obstacle(
        words: "it has \(size) bytes, less than BLOBLO_MIN_BLOB_SIZE",
        advice: "smaller blobs pass, as the setting says; name a larger one by --blob")
    }
    guard size > spool else { return nil }
    return Obstacle(
      words: "it has \(size) bytes, and all spools together may take \(spool)",
      advice: "raise BLOBLO_SPOOL_MAX_BYTES")
  }

  private func ofBucket(_ report: CheckReport) -> Obstacle? {
    let subjects = [
      "spool", "credentials", "bucket.head", "bucket.list", "bucket.read", "bucket.put",
    ]
    guard let subject = subjects.first(where: { report.isAmiss($0) }) else { return nil }
    return Obstacle(words: "\(subject) is not as it should be", advice: "see \(subject) above")
  }

  // MARK: the registry's GET

  private struct Reading {
    var size: Int64?
    var obstacle: Obstacle?
  }

  /// Asks for the blob's first byte as a fill asks for all: the registry with the credential, and a named host that
  /// the registry redirects to without any field of the client's.
  private func read(_ report: inout CheckReport, _ http: inout HTTPClient) -> Reading {
    let range = HTTPField("Range", "bytes=0-0")
    var request = location.upstream.request(for: path, from: client)
    request.fields.append(range)
    for hop in 0...Self.hopLimit {
      let head: HTTPResponseHead
      do throws(TransportError) {
        head = try http.head(of: request)
      } catch {
        let obstacle = Obstacle(
          words:
            "\(hop == 0 ? "the registry" : hostName(request.url)) does not answer a GET of it: \(error.message)",
          advice: "BLOBLO_UPSTREAM_CA_FILE for a private authority; name service, firewall")
        return amiss(obstacle, &report)
      }
      guard (300..<400).contains(head.status), let target = head.fields.first(named: "location")
      else { return judge(head, at: hop == 0 ? nil : hostName(request.url), &report) }
      do throws(FollowedHosts.Refusal) {
        let url = try location.followedHosts.target(of: target.value, from: request.url)
        request = HTTPRequest(.get, url, fields: [range], limits: request.limits)
      } catch {
        return amiss(obstacle(error), &report)
      }
    }
    return amiss(
      Obstacle(
        words: "it is redirected more than \(Self.hopLimit) times",
        advice: "a fill follows no more: let the registry redirect to its storage directly"),
      &report
    )
  }

  private func judge(
    _ head: HTTPResponseHead, at host: String?, _ report: inout CheckReport
  ) -> Reading {
    // 416: the blob is empty.
    guard [200, 206, 416].contains(head.status), !head.isHTML else {
      let obstacle = Obstacle(
        words:
          "\(host ?? "the registry") answers a GET of it with \(head.status)\(head.isHTML ? " and an HTML page" : "")",
        advice: "the registry allows the blob but does not send it: look at its log")
      return amiss(obstacle, &report)
    }
    if let host {
      report.ok("upstream.follow", "a fill follows the registry's redirect to \(host)")
    }
    return Reading(size: statedSize(ofBlobIn: head))
  }

  private func amiss(_ obstacle: Obstacle, _ report: inout CheckReport) -> Reading {
    report.warn("upstream.follow", obstacle.words, advice: obstacle.advice)
    return Reading(obstacle: obstacle)
  }

  private func obstacle(_ refusal: FollowedHosts.Refusal) -> Obstacle {
    switch refusal {
    case .notNamed(let host):
      Obstacle(
        words: "the registry redirects its readers to \(host), where no fill may follow",
        advice: "set BLOBLO_UPSTREAM_FOLLOW=\(location.followedHosts.text(with: host))")
    case .downgrade, .unreadable:
      Obstacle(
        words: "\(refusal), where no fill follows",
        advice:
          "let the registry redirect to an https URL without a user in it, or send blobs itself")
    }
  }
}
