import FastCGI
import HTTPTransport
import Offload
import Registry

/// How a decision is told to a web server: the same to every one.
struct FrontServer: Sendable {
  let redirectStatus: Int

  /// Hands the request back, for the registry to answer.
  ///
  /// The shipped configurations map the status 424; nginx acts on the header as well.
  func pass(_ request: Request) {
    var head = ResponseHead(status: 424, capacity: 128)
    head.add("X-Accel-Redirect", "@bloblo_registry")
    head.add("X-Bloblo", "pass")
    head.add("Content-Length", "0")
    request.answer(head)
  }

  func redirect(_ request: Request, to location: [UInt8], _ digest: Digest) {
    var head = ResponseHead(status: redirectStatus, capacity: location.count + 320)
    head.add("Location", location)
    head.add("Docker-Content-Digest", digest.bytes)
    head.add("Content-Length", "0")
    head.add("Cache-Control", "no-store")
    head.add("X-Bloblo", "redirect")
    request.answer(head)
  }

  /// Answers a HEAD.
  func answer(_ request: Request, _ proof: BlobProof, size: Int64, _ digest: Digest) {
    request.answer(blobHead(fields: proof.fields, size: size, digest, "answer"))
  }

  /// Answers with a whole answer of upstream's.
  func relay(_ request: Request, _ answer: HTTPResponse) {
    var head = ResponseHead(status: answer.head.status, capacity: 512)
    for (name, lowercased) in relayedFields {
      if let field = answer.head.fields.first(named: lowercased) { head.add(name, field.value) }
    }
    head.add("Content-Length", String(answer.body.count))
    head.add("X-Bloblo", "remember")
    request.answer(head, body: answer.body)
  }

  /// Begins to answer a GET with the blob's bytes.
  func begin(_ request: Request, fields: [HTTPField], size: Int64, _ digest: Digest) {
    request.begin(blobHead(fields: fields, size: size, digest, "tee"))
  }

  /// The head of a 200 that carries the blob: what upstream said of it, and what we know.
  private func blobHead(
    fields: [HTTPField], size: Int64, _ digest: Digest, _ decision: String
  ) -> ResponseHead {
    var head = ResponseHead(status: 200, capacity: 512)
    head.add(
      "Content-Type",
      fields.first(named: "content-type")?.value ?? Array("application/octet-stream".utf8))
    head.add("Content-Length", String(size))
    head.add("Docker-Content-Digest", digest.bytes)
    head.add("Accept-Ranges", "bytes")
    for (name, lowercased) in repeatedFields {
      if let field = fields.first(named: lowercased) { head.add(name, field.value) }
    }
    head.add("X-Bloblo", decision)
    return head
  }
}

/// What else registries say of a blob, and clients may read. (A StaticString has no lower case.)
private let repeatedFields: [(StaticString, String)] = [
  ("Etag", "etag"), ("Cache-Control", "cache-control"), ("Last-Modified", "last-modified"),
  ("Docker-Distribution-Api-Version", "docker-distribution-api-version"),
  ("X-Content-Type-Options", "x-content-type-options"),
]

/// What clients read of a ping or a token.
private let relayedFields: [(StaticString, String)] = [
  ("Content-Type", "content-type"), ("Cache-Control", "cache-control"), ("Pragma", "pragma"),
  ("Docker-Distribution-Api-Version", "docker-distribution-api-version"),
  ("X-Content-Type-Options", "x-content-type-options"),
]
