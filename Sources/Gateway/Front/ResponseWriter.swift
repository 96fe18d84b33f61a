internal import FastCGI
internal import HTTPTransport
internal import Registry
internal import Settings
internal import Telemetry

/// Writes a decision as an answer to the web server, the same for every one.
struct ResponseWriter: Sendable {
  let redirectStatus: Int

  /// Passes: the web server hands the request to the registry.
  ///
  /// The shipped files map the status 424; nginx also acts on the field. HAProxy tries a request again after a 425,
  /// and not after a 424. Apache asks the registry after a 502 as after a 424; when the registry is down, Apache's
  /// client gets this first status, and a 502 is the right one.
  func pass(_ request: Request, _ kind: WebServer, isUpstreamDown: Bool) {
    let status =
      switch kind {
      case .haproxy: 425
      case .apache where isUpstreamDown: 502
      default: 424
      }
    var head = ResponseHead(status: status, capacity: 128)
    if kind == .nginx { head.add("X-Accel-Redirect", "@bloblo_registry") }
    addID(of: request, to: &head, kind)
    head.add("X-Bloblo", "pass")
    head.add("Content-Length", "0")
    request.answer(head)
  }

  func redirect(_ request: Request, to location: [UInt8], _ digest: Digest) {
    var head = request.head(status: redirectStatus, capacity: location.count + 320)
    head.add("Location", location)
    head.add("Docker-Content-Digest", digest.bytes)
    head.add(lines: "Content-Length: 0\r\nCache-Control: no-store\r\nX-Bloblo: redirect\r\n")
    request.answer(head)
  }

  /// Tells the web server to read the bucket for the client.
  ///
  /// The web server takes host and target of the signed URL from fields, and from others what the client gets to know
  /// about the blob. All have names of bloblo's own: Apache keeps a responder's fields even when the registry answers
  /// in the end, and the client would see both.
  func accelerate(
    _ request: Request, by kind: WebServer, proof: BlobProof, to target: SignedTarget,
    digest: Digest
  ) {
    var head = ResponseHead(status: 423, capacity: target.path.count + 512)
    if kind == .nginx { head.add("X-Accel-Redirect", "@bloblo_s3") }
    addID(of: request, to: &head, kind)
    head.add("X-Bloblo-Host", target.host)
    head.add("X-Bloblo-Target", target.path)
    head.add(
      "Content-Type",
      proof.fields.first(named: "content-type")?.value ?? Array("application/octet-stream".utf8))
    head.add("X-Bloblo-Digest", digest.bytes)
    if let tag = proof.fields.first(named: "etag") { head.add("X-Bloblo-Etag", tag.value) }
    head.add("Content-Length", "0")
    head.add("X-Bloblo", "accelerate")
    request.answer(head)
  }

  /// The `X-Request-Id` that Apache hands on to the registry; nginx has made it itself.
  private func addID(of request: Request, to head: inout ResponseHead, _ kind: WebServer) {
    guard kind == .apache else { return }
    head.add("X-Bloblo-Request-Id", RequestID(request).bytes)
  }

  /// Answers a HEAD.
  func answer(_ request: Request, _ proof: BlobProof, size: Int64, digest: Digest) {
    request.answer(blobHead(fields: proof.fields, size: size, digest, "answer"))
  }

  /// Answers with a remembered answer of the registry.
  func relay(_ request: Request, _ answer: HTTPResponse) {
    var head = ResponseHead(status: answer.head.status, capacity: 512)
    for (name, lowercased) in relayedFields {
      if let field = answer.head.fields.first(named: HTTPField.Name(lowercased)) {
        head.add(name, field.value)
      }
    }
    head.add("Content-Length", String(answer.body.count))
    head.add("X-Bloblo", "remember")
    request.answer(head, body: answer.body)
  }

  /// Begins to answer a GET with the blob's bytes.
  ///
  /// - Parameter range: the bytes of the blob, for a 206.
  func begin(
    _ request: Request, fields: [HTTPField], size: Int64, range: Range<Int64>?, _ digest: Digest
  ) {
    request.begin(blobHead(fields: fields, size: size, range: range, digest, "tee"))
  }

  /// Begins to answer a GET of several ranges.
  ///
  /// - Parameter count: the bytes of the body.
  func begin(
    _ request: Request, _ proof: BlobProof, multipart body: MultipartBody, count: Int64,
    digest: Digest
  ) {
    var head = ResponseHead(status: 206, capacity: 512)
    head.add("Content-Type", "multipart/byteranges; boundary=\(body.boundary)")
    head.add("Content-Length", String(count))
    head.add("Docker-Content-Digest", digest.bytes)
    head.add("Accept-Ranges", "bytes")
    for (name, lowercased) in repeatedFields {
      if let field = proof.fields.first(named: HTTPField.Name(lowercased)) {
        head.add(name, field.value)
      }
    }
    head.add("X-Bloblo", "multipart")
    request.begin(head)
  }

  /// The head of a 200 with the blob, or of a 206 with a part of it: the registry's fields and bloblo's.
  private func blobHead(
    fields: [HTTPField], size: Int64, range: Range<Int64>? = nil, _ digest: Digest,
    _ decision: String
  ) -> ResponseHead {
    var head = ResponseHead(status: range == nil ? 200 : 206, capacity: 512)
    head.add(
      "Content-Type",
      fields.first(named: "content-type")?.value ?? Array("application/octet-stream".utf8))
    head.add("Content-Length", String(range.map { $0.upperBound - $0.lowerBound } ?? size))
    if let range {
      head.add("Content-Range", "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)")
    }
    head.add("Docker-Content-Digest", digest.bytes)
    head.add("Accept-Ranges", "bytes")
    for (name, lowercased) in repeatedFields {
      if let field = fields.first(named: HTTPField.Name(lowercased)) { head.add(name, field.value) }
    }
    head.add("X-Bloblo", decision)
    return head
  }
}

/// A signed URL, taken apart for a web server. bloblo has made it, and this is on the path of each request, so its
/// bytes are cut without a check.
struct SignedTarget {
  /// The value of `Host`.
  let host: [UInt8]
  /// Path and query.
  let path: [UInt8]

  /// - Parameter url: absolute: `scheme://host/path?query`.
  init?(_ url: [UInt8]) {
    let slash = UInt8(ascii: "/")
    guard let first = url.firstIndex(of: slash), first + 2 < url.count, url[first + 1] == slash,
      let pathStart = url[(first + 2)...].firstIndex(of: slash)
    else { return nil }
    host = Array(url[(first + 2)..<pathStart])
    path = Array(url[pathStart...])
  }
}

/// Other fields of a registry's answer that clients may read. (A StaticString has no lower case.)
private let repeatedFields: [(StaticString, String)] = [
  ("Etag", "etag"), ("Cache-Control", "cache-control"), ("Last-Modified", "last-modified"),
  ("Docker-Distribution-Api-Version", "docker-distribution-api-version"),
  ("X-Content-Type-Options", "x-content-type-options"),
]

/// The fields that clients read in the answer to a ping or a token request.
private let relayedFields: [(StaticString, String)] = [
  ("Content-Type", "content-type"), ("Cache-Control", "cache-control"), ("Pragma", "pragma"),
  ("Docker-Distribution-Api-Version", "docker-distribution-api-version"),
  ("X-Content-Type-Options", "x-content-type-options"),
]
