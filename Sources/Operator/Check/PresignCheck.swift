internal import HTTPTransport
internal import Offload
internal import Primitives
internal import Registry
internal import S3
internal import Store

/// Reads the bucket as a redirected client does: with the URL and no credential.
struct PresignCheck {
  private let store: S3BlobStore
  private let key: ObjectKey
  private let digest: Digest
  private let body: [UInt8]
  private let limits: HTTPLimits

  init(
    _ store: S3BlobStore, key: ObjectKey, digest: Digest, body: [UInt8],
    caFile: String?
  ) {
    self.store = store
    self.key = key
    self.digest = digest
    self.body = body
    limits = HTTPLimits(caFile: caFile)
  }

  /// - Returns: whether S3 refused a registry's credential next to the URL's signature.
  func run(_ report: inout CheckReport, _ http: inout HTTPClient) -> Bool {
    let url: String
    do {
      url = String(decoding: try store.presign(digest, now: Moment.now()).bytes, as: UTF8.self)
    } catch {
      report.fail("presign", "\(error)", advice: "see credentials above")
      return false
    }
    tellLength(url, &report)
    get(url, report: &report, over: &http)
    if store.cloudFront == nil {
      expired(&report, &http)
      tampered(url, report: &report, over: &http)
    }
    return isSecondCredentialRefused(url, report: &report, over: &http)
  }

  /// Source: <https://nginx.org/en/docs/http/ngx_http_fastcgi_module.html#fastcgi_buffer_size>
  private func tellLength(_ url: String, _ report: inout CheckReport) {
    let bytes = url.utf8.count
    if bytes < 3_500 {
      report.ok("presign.length", "a Location of \(bytes) bytes fits nginx's default of 4k")
    } else {
      report.warn(
        "presign.length", "a Location of \(bytes) bytes is more than nginx's default of 4k takes",
        advice: "fastcgi_buffer_size 64k, fastcgi_buffers 6 16k, as in the shipped configuration")
    }
  }

  private func get(_ url: String, report: inout CheckReport, over http: inout HTTPClient) {
    let name = store.cloudFront == nil ? "\(store.bucket.bucket.publicEndpoint)" : "CloudFront"
    do {
      let response = try http.send(HTTPRequest(.get, url, limits: limits), bodyLimit: 1 << 16)
      if response.head.status == 200, response.body == body {
        report.ok("presign.get", "\(name) gives the probe's bytes")
      } else {
        report.fail(
          "presign.get",
          "\(name): \(S3ErrorResponse(status: response.head.status, body: response.body)), want 200 and the probe",
          advice:
            "BLOBLO_S3_PUBLIC_ENDPOINT_URL must be the host that clients use, and reach the same bucket; a proxy "
            + "before it must keep Host, path and query as they are")
      }
    } catch {
      report.fail(
        "presign.get", "\(name): \(error)",
        advice:
          "clients must reach it: BLOBLO_S3_PUBLIC_ENDPOINT_URL; if this machine alone can't, set "
          + "BLOBLO_LOOK_AS_CLIENT=off, and try the URL of `bloblo presign` from a client")
    }
  }

  private func expired(_ report: inout CheckReport, _ http: inout HTTPClient) {
    guard
      let url = try? store.bucket.presign(
        .get, key, lifetime: .seconds(1), now: .now() + -3600)
    else { return }
    refused(
      url.string, subject: "presign.expiry", what: "an expired URL", report: &report,
      over: &http,
      advice:
        "this server accepts expired URLs: docs/s3.md lists the servers that bloblo was verified on"
    )
  }

  private func tampered(_ url: String, report: inout CheckReport, over http: inout HTTPClient) {
    let wrong = url.hasSuffix("0") ? url.dropLast() + "1" : url.dropLast() + "0"
    refused(
      String(wrong), subject: "presign.signature", what: "a URL with a wrong signature",
      report: &report, over: &http,
      advice: "this server does not check signatures, or the bucket is public: everyone may read it"
    )
  }

  private func refused(
    _ url: String, subject: String, what: String, report: inout CheckReport,
    over http: inout HTTPClient, advice: String
  ) {
    do {
      let response = try http.send(HTTPRequest(.get, url, limits: limits), bodyLimit: 1 << 16)
      if [400, 401, 403].contains(response.head.status) {
        report.ok(subject, "S3 refuses \(what) with \(response.head.status)")
      } else {
        report.fail(subject, "S3 answers \(what) with \(response.head.status)", advice: advice)
      }
    } catch {
      report.warn(subject, "\(error)", advice: "try again")
    }
  }

  /// Reports what happens to clients that send the registry's credential to S3.
  private func isSecondCredentialRefused(
    _ url: String, report: inout CheckReport, over http: inout HTTPClient
  ) -> Bool {
    let request = HTTPRequest(
      .get, url, fields: [HTTPField("Authorization", "Bearer probe")], limits: limits)
    // `get` has reported whether S3 answers at all.
    guard let response = try? http.send(request, bodyLimit: 1 << 16) else { return false }
    if response.head.status == 200 {
      report.ok("presign.authorization", "S3 ignores an Authorization field next to the signature")
      return false
    }
    report.ok(
      "presign.authorization",
      "S3 refuses an Authorization field next to the signature with \(response.head.status), as AWS does: "
        + "clients don't send it as long as S3's host is not the registry's")
    return response.head.status == 400
  }
}
