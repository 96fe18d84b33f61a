internal import Glibc
package import HTTPTransport
internal import Hashing
internal import Primitives
internal import Registry
internal import S3
package import Settings
package import Store

/// A probe object's whole life, as a fill makes it and a client reads it.
package struct BucketCheck {
  private let store: S3BlobStore
  private let location: LocationSettings
  private let body: [UInt8]
  private let sha256: [UInt8]

  package init(_ store: S3BlobStore, _ location: LocationSettings) {
    self.store = store
    self.location = location
    // Its key is its digest's: also for this moment nothing false stands in the bucket.
    let probe = (0..<64).map { _ in UInt8.random(in: .min ... .max) }
    body = probe
    var hash = HashFunction(.sha256)
    hash.update(probe.span)
    sha256 = hash.finalize()
  }

  /// As for a fill; its tags may name a repository.
  private var bucket: BucketClient {
    RepositoryName("bloblo/check").map { store.bucket(for: $0) } ?? store.bucket
  }

  /// - Returns: whether S3 was seen to refuse a registry's credential beside a URL's signature.
  package func run(_ report: inout CheckReport, _ http: inout HTTPClient) -> Bool {
    let region = bucket.bucket.region
    guard let digest = Digest("sha256:\(Hex.string(sha256.span))"),
      let key = try? store.key(of: digest)
    else { return false }
    let sight = head(key, report: &report, over: &http)
    tellClock(&report)
    if sight == .unreachable { return false }
    tellRegion(set: region, &report)
    var isSecondCredentialRefused = false
    if put(key, report: &report, over: &http) {
      if sight == .denied { headAgain(key, report: &report, over: &http) }
      isSecondCredentialRefused = PresignCheck(
        store, key: key, digest: digest, body: body,
        authoritiesFile: location.s3Limits.authoritiesFile
      ).run(&report, &http)
      delete(key, report: &report, over: &http)
    }
    lifecycle(&report, &http)
    return isSecondCredentialRefused
  }

  private enum Sight {
    case clear, unreachable
    /// S3 does not let us know, and it may be for the object's absence alone.
    case denied
  }

  /// - Returns: what can be seen; nothing of a bucket that can't be reached, or is not there.
  private func head(
    _ key: ObjectKey, report: inout CheckReport, over http: inout HTTPClient
  ) -> Sight {
    do {
      let found = try bucket.head(key, over: &http, now: .now())
      // To HEAD of an object a bucket that is not there says 404 too; and some servers make one for a PUT.
      if found == nil { try bucket.headBucket(over: &http, now: .now()) }
      report.ok(
        "bucket.head", "\(bucket.bucket.name): an object is \(found == nil ? "absent" : "there")")
      return .clear
    } catch let refusal {
      let error = inFull(refusal, of: key, over: &http)
      switch error {
      case .refused(_, let refusal) where refusal.status == 403:
        report.fail("bucket.head", "\(error)", advice: error.advice)
        return .denied
      case .transport:
        report.fail(
          "bucket.head", "\(bucket.bucket.endpoint): \(error)",
          advice:
            "BLOBLO_S3_ENDPOINT_URL (http or https?), name service, firewall; BLOBLO_S3_CA_FILE for a private authority"
        )
        return .unreachable
      default:
        report.fail("bucket.head", "\(error)", advice: error.advice)
        if case .refused(_, let refusal) = error, refusal.status == 404 { return .unreachable }
        return .clear
      }
    }
  }

  /// A refusal with S3's own sentence, which no answer to a HEAD can tell: the object is asked for.
  private func inFull(
    _ error: S3Error, of key: ObjectKey, over http: inout HTTPClient
  ) -> S3Error {
    guard case .refused(let operation, let refusal) = error, refusal.message == nil else {
      return error
    }
    do throws(S3Error) {
      _ = try bucket.read(key, 0..<1, over: &http, now: .now())
    } catch {
      if case .refused(_, let told) = error, told.status == refusal.status, told.message != nil {
        return .refused(operation, told)
      }
    }
    return error
  }

  /// Now the object is there: a 403 was for its absence, or it is for all.
  private func headAgain(
    _ key: ObjectKey, report: inout CheckReport, over http: inout HTTPClient
  ) {
    do throws(S3Error) {
      _ = try bucket.head(key, over: &http, now: .now())
      let finding = "objects that are there are seen, those that are not are answered with 403"
      if location.fill == .off {
        report.warn("bucket.list", finding, advice: "grant s3:ListBucket on the bucket")
      } else {
        report.fail(
          "bucket.list", finding,
          advice:
            "grant s3:ListBucket on the bucket: until then cold blobs pass, and none is ever filled"
        )
      }
    } catch {
      report.fail("bucket.read", "\(error)", advice: "grant s3:GetObject on the objects")
    }
  }

  private func tellRegion(set: String, _ report: inout CheckReport) {
    let region = bucket.bucket.region
    if region == set {
      report.ok("bucket.region", region)
    } else {
      report.warn(
        "bucket.region", "the bucket is in \(region), set is \(set)",
        advice:
          "set BLOBLO_S3_REGION=\(region): otherwise the first request after each start fails once")
    }
  }

  private func tellClock(_ report: inout CheckReport) {
    let clock = bucket.site.clock
    let seconds = abs(clock.measured)
    let words =
      "this machine's clock is \(seconds) s \(clock.measured > 0 ? "behind" : "ahead of") S3's"
    if clock.correction == 0 {
      report.ok("clock", seconds < 5 ? "this machine's clock agrees with S3's" : words)
    } else {
      report.warn(
        "clock", "\(words): signatures are corrected by that",
        advice:
          "run chrony or systemd-timesyncd: registries refuse tokens that begin in their future")
    }
  }

  private func put(
    _ key: ObjectKey, report: inout CheckReport, over http: inout HTTPClient
  ) -> Bool {
    func put(_ http: inout HTTPClient, onlyIfAbsent: Bool) throws(S3Error) -> UploadOutcome {
      try bucket.put(
        key, .bytes(body), sha256: sha256, onlyIfAbsent: onlyIfAbsent, over: &http, now: .now())
    }
    do {
      _ = try put(&http, onlyIfAbsent: false)
      report.ok("bucket.put", "an object of \(body.count) bytes was stored")
    } catch {
      if location.fill == .off, error.isOfPolicy {
        report.warn(
          "bucket.put", "\(error)",
          advice:
            "BLOBLO_FILL=off needs no right to write; without the probe, URLs can't be tried: `bloblo presign` makes one"
        )
      } else {
        report.fail(
          "bucket.put", "\(error)", advice: error.isOfPolicy ? S3Error.writeAdvice : error.advice)
      }
      return false
    }
    do throws(S3Error) {
      if try put(&http, onlyIfAbsent: true) == .alreadyThere {
        report.ok("bucket.condition", "If-None-Match: * leaves what is there")
      } else {
        report.warn(
          "bucket.condition", "the server ignores If-None-Match: *",
          advice:
            "nothing to do: of two instances that fill the same blob, the later replaces equal bytes"
        )
      }
    } catch {
      report.warn(
        "bucket.condition", "\(error)", advice: "nothing to do: fills go on without the condition")
    }
    return true
  }

  private func delete(
    _ key: ObjectKey, report: inout CheckReport, over http: inout HTTPClient
  ) {
    do {
      try bucket.delete(key, over: &http, now: .now())
      report.ok("bucket.delete", "the probe is gone")
    } catch {
      report.warn(
        "bucket.delete", "\(error)",
        advice: "only this check deletes: remove \(key), and leave s3:DeleteObject away if you like"
      )
    }
  }

  private func lifecycle(_ report: inout CheckReport, _ http: inout HTTPClient) {
    let advice =
      "add a rule with AbortIncompleteMultipartUpload of 1 day: parts of fills that were cut off are kept, and "
      + "paid for, until then; `bloblo sweep` clears them too"
    do {
      switch try bucket.incompleteUploadLife(
        ofKeysWith: location.keyTemplate.prefix, over: &http, now: .now())
      {
      case let days?:
        report.ok("bucket.lifecycle", "incomplete uploads are aborted after \(days) d")
      case nil:
        report.warn(
          "bucket.lifecycle", "no rule aborts incomplete multipart uploads", advice: advice)
      }
    } catch {
      report.warn("bucket.lifecycle", "can't be read: \(error)", advice: advice)
    }
  }
}
