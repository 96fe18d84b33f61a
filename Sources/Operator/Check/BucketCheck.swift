internal import Glibc
package import HTTPTransport
internal import Hashing
internal import Primitives
internal import Registry
internal import S3
package import Settings
package import Store

/// Puts, reads and deletes a probe object, as a fill and a client do.
package struct BucketCheck {
  private let store: S3BlobStore
  private let location: LocationSettings
  private let body: [UInt8]
  private let sha256: [UInt8]

  package init(_ store: S3BlobStore, _ location: LocationSettings) {
    self.store = store
    self.location = location
    // Its key is that of its own digest, so the bucket holds nothing wrong even for this moment.
    let probe = (0..<64).map { _ in UInt8.random(in: .min ... .max) }
    body = probe
    var hash = HashFunction(.sha256)
    hash.update(probe.span)
    sha256 = hash.finalize()
  }

  /// The bucket as a fill uses it; its tags may name a repository.
  private var bucket: BucketClient {
    RepositoryName("bloblo/check").map { store.bucket(for: $0) } ?? store.bucket
  }

  /// - Returns: whether S3 refused a registry's credential next to a URL's signature.
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
        caFile: location.s3Limits.caFile
      ).run(&report, &http)
      delete(key, report: &report, over: &http)
    }
    lifecycle(&report, &http)
    return isSecondCredentialRefused
  }

  private enum Sight {
    case clear, unreachable
    /// S3 answered 403, perhaps only because the object is absent.
    case denied
  }

  /// - Returns: what S3 shows; nothing when the bucket can't be reached or does not exist.
  private func head(
    _ key: ObjectKey, report: inout CheckReport, over http: inout HTTPClient
  ) -> Sight {
    do {
      let found = try bucket.head(key, over: &http, now: .now())
      // A HEAD of an object says 404 for an absent bucket too; and some servers create the bucket at a PUT.
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

  /// Gets the refusal with S3's own message, which an answer to HEAD can't carry: asks for the object by GET.
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

  /// The object exists now. So this shows whether a 403 was for its absence or is for every object.
  private func headAgain(
    _ key: ObjectKey, report: inout CheckReport, over http: inout HTTPClient
  ) {
    do throws(S3Error) {
      _ = try bucket.head(key, over: &http, now: .now())
      let finding = "S3 shows objects that exist, and answers 403 for absent ones"
      if location.fill == .off {
        report.warn("bucket.list", finding, advice: "grant s3:ListBucket on the bucket")
      } else {
        report.fail(
          "bucket.list", finding,
          advice:
            "grant s3:ListBucket on the bucket: until then cold blobs pass and are never filled"
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
        "bucket.region", "the bucket is in \(region), but the settings say \(set)",
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
        "clock", "\(words); bloblo corrects its signatures by that",
        advice:
          "run chrony or systemd-timesyncd: registries refuse tokens whose start is in the future")
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
            "with BLOBLO_FILL=off bloblo needs no permission to write, but `check` can't try a URL: `bloblo presign` makes one"
        )
      } else {
        report.fail(
          "bucket.put", "\(error)", advice: error.isOfPolicy ? S3Error.writeAdvice : error.advice)
      }
      return false
    }
    do throws(S3Error) {
      if try put(&http, onlyIfAbsent: true) == .alreadyThere {
        report.ok("bucket.condition", "If-None-Match: * keeps an existing object")
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
      report.ok("bucket.delete", "the probe was deleted")
    } catch {
      report.warn(
        "bucket.delete", "\(error)",
        advice: "remove \(key) by hand; serving and filling need no s3:DeleteObject"
      )
    }
  }

  private func lifecycle(_ report: inout CheckReport, _ http: inout HTTPClient) {
    let advice =
      "add a rule with AbortIncompleteMultipartUpload of 1 day: until then S3 keeps the parts of fills that were cut off, and "
      + "charges for them; `bloblo sweep` removes them too"
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
