internal import HTTPTransport
internal import Hashing
internal import Primitives
package import S3
internal import XML

/// What is in a bucket, seen with its owner's eyes.
package struct BucketView: Sendable {
  package let client: BucketClient
  private let signer: Signer

  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  package init(_ name: String, url: String) throws {
    let credential = Credential(
      accessKeyID: Stack.accessKey, secretAccessKey: Secret(Stack.secretKey))
    signer = Signer(credential, region: "us-east-1")
    client = BucketClient(
      BucketSite(
        try Bucket(name, region: "us-east-1", endpoint: Endpoint(url)),
        credentials: CredentialStore(credential)),
      limits: .patient)
  }

  /// Makes the bucket, and waits until it takes objects.
  package func make() throws {
    let isMade = eventually {
      var http = HTTPClient()
      var request = HTTPRequest(
        .put, client.bucket.url(on: client.bucket.endpoint), limits: .patient)
      signer.sign(&request, payloadHash: .ofNothing, now: .now())
      return [200, 409].contains((try? http.send(request, bodyLimit: 1 << 16))?.head.status)
    }
    let isWritable = eventually {
      (try? put(".ready", Array("ready".utf8))) != nil && (try? delete(".ready")) != nil
    }
    guard isMade, isWritable else { throw Failure(description: "the bucket can't be made") }
  }

  /// The keys, sorted.
  package func keys() throws -> [String] {
    var http = HTTPClient()
    var request = HTTPRequest(
      .get, client.bucket.url(on: client.bucket.endpoint) + "?list-type=2&max-keys=1000",
      limits: .patient)
    signer.sign(&request, payloadHash: .ofNothing, now: .now())
    let response = try http.send(request, bodyLimit: 4 << 20)
    guard response.head.status == 200 else {
      throw Failure(description: "list: status \(response.head.status)")
    }
    return try XMLElement(parsing: response.body).all("Contents").compactMap { $0.text(of: "Key") }
      .sorted()
  }

  package func size(_ key: String) throws -> Int64? {
    var http = HTTPClient()
    return try client.head(ObjectKey(key), over: &http, now: .now())?.size
  }

  /// The object's bytes; `nil` when there is none.
  package func read(_ key: String) throws -> [UInt8]? {
    var http = HTTPClient()
    var request = HTTPRequest(
      .get, try client.bucket.url(for: ObjectKey(key), on: client.bucket.endpoint), limits: .patient
    )
    signer.sign(&request, payloadHash: .ofNothing, now: .now())
    let response = try http.send(request, bodyLimit: 1 << 30)
    return response.head.status == 200 ? response.body : nil
  }

  package func put(_ key: String, _ bytes: [UInt8]) throws {
    var http = HTTPClient()
    _ = try client.put(
      ObjectKey(key), .bytes(bytes), sha256: HashedBytes.sha256(bytes), over: &http, now: .now())
  }

  package func delete(_ key: String) throws {
    var http = HTTPClient()
    try client.delete(ObjectKey(key), over: &http, now: .now())
  }

  /// The keys of uploads that were begun and neither completed nor aborted.
  package func openUploads() throws -> [String] {
    var http = HTTPClient()
    return try client.listMultipartUploads(over: &http, now: .now()).uploads.map { "\($0.key)" }
  }
}

private enum HashedBytes {
  static func sha256(_ bytes: [UInt8]) -> [UInt8] {
    var hash = HashFunction(.sha256)
    hash.update(bytes.span)
    return hash.finalize()
  }
}
