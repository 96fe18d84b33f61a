internal import Foundation
internal import HTTPTransport
internal import Threading

/// The registry and the S3 server that all tests share.
package final class Ground: Sendable {
  package let stack: Stack
  package let registryURL: String
  package let s3URL: String

  private static let made = Result { try Ground() }

  /// Starts them at the first call.
  package static func shared() throws -> Ground { try made.get() }

  private init() throws {
    stack = try Stack(["registry", "s3"])
    guard let registry = stack.facts.registryUrl, let s3 = stack.facts.s3Url else {
      throw Stack.Failure(description: "stack.py told no addresses")
    }
    registryURL = registry
    s3URL = s3
  }

  package var registryPort: UInt16 { port(registryURL) }
  package var s3Port: UInt16 { port(s3URL) }

  /// The S3 server as clients name it: another host than the registry's.
  package var publicS3URL: String { "http://localhost:\(s3Port)" }

  package func bucket(_ name: String = Stack.bucket) throws -> BucketView {
    try BucketView(name, url: s3URL)
  }

  /// Puts a blob into a repository of the registry, past all others.
  package func push(_ blob: TestBlob, to repository: String) throws {
    try TestSupport.push(blob, to: repository, at: registryURL, Site.credential)
  }

  /// The requests for this blob that the registry has answered so far, as `GET 200`.
  package func registryRequests(for blob: TestBlob) throws -> [String] {
    let log = try String(
      contentsOfFile: stack.facts.registryAccessLog ?? "", encoding: .utf8)
    return log.split(separator: "\n").filter { $0.contains(blob.key) }.compactMap { line in
      let parts = line.split(separator: "\"", maxSplits: 2)
      guard parts.count == 3, let method = parts[1].split(separator: " ").first,
        let status = parts[2].split(separator: " ").first
      else { return nil }
      return "\(method) \(status)"
    }
  }
}

/// nginx on the shipped files and a bloblo of its own, on the shared ground unless told otherwise.
package final class Site: Sendable {
  package let ground: Ground
  package let stack: Stack
  package let bucket: BucketView
  package let url: String
  /// Credentials that clients sent, and signatures that they were given.
  private let used = Monitor<Set<String>>([])

  /// What a client says who it is with.
  package static let basic = Data("\(Stack.user):\(Stack.password)".utf8).base64EncodedString()
  package static let credential = ["Authorization: Basic \(basic)"]

  /// - Parameters:
  ///   - settings: bloblo's, beside those that lead it to the ground.
  ///   - upstream: the port that bloblo asks instead of the registry's.
  ///   - registry: the port that both bloblo and nginx ask instead.
  ///   - s3: the port that bloblo asks instead of the S3 server's.
  ///   - bucketName: a bucket to make; else all share one.
  ///   - nginxTimeout: how long nginx waits for bloblo.
  package init(
    _ settings: [String: String] = [:], upstream: UInt16? = nil, registry: UInt16? = nil,
    s3: UInt16? = nil, bucketName: String? = nil, nginxTimeout: String? = nil
  ) throws {
    ground = try Ground.shared()
    bucket = try ground.bucket(bucketName ?? Stack.bucket)
    if bucketName != nil { try bucket.make() }
    var environment = [
      "BLOBLO_S3_ENDPOINT_URL": "http://127.0.0.1:\(s3 ?? ground.s3Port)",
      "BLOBLO_S3_PUBLIC_ENDPOINT_URL": ground.publicS3URL, "BLOBLO_LOOK_AS_CLIENT": "off",
      "BLOBLO_S3_BUCKET_NAME": bucketName ?? Stack.bucket,
      // On a loaded machine nothing is forgotten and no server given up meanwhile.
      "BLOBLO_UPSTREAM_TIMEOUT": "30s", "BLOBLO_S3_TIMEOUT": "30s", "BLOBLO_PROOF_TTL": "10m",
    ]
    if let upstream { environment["BLOBLO_UPSTREAM_URL"] = "http://127.0.0.1:\(upstream)" }
    environment.merge(settings) { $1 }
    var options = ["--registry", "127.0.0.1:\(registry ?? ground.registryPort)"]
    options += ["--log-level", "trace"]
    for (name, value) in environment { options += ["--env", "\(name)=\(value)"] }
    if let nginxTimeout { options += ["--read-timeout", nginxTimeout] }
    stack = try Stack(["nginx", "bloblo"], options: options)
    url = stack.facts.nginxUrl ?? ""
  }

  /// Asks nginx, with alice's credential unless told otherwise.
  package func ask(
    _ method: String = "GET", _ target: String, _ fields: [String] = Site.credential,
    body: [UInt8]? = nil, options: [String] = []
  ) throws -> Answer {
    let answer = try Curl.ask(method, url + target, fields, body: body, options: options)
    used.update { used in
      for field in fields where field.hasPrefix("Authorization: ") {
        used.insert(String(field.split(separator: " ").last ?? ""))
      }
      if let location = answer["location"], let name = location.range(of: "X-Amz-Signature=") {
        used.insert(String(location[name.upperBound...].prefix { $0 != "&" }))
      }
    }
    return answer
  }

  /// A GET as clients do it: a redirect is followed, without the credential.
  ///
  /// - Returns: the first answer, and the last.
  package func pull(_ target: String, _ fields: [String] = Site.credential) throws -> (
    first: Answer, last: Answer
  ) {
    let first = try ask("GET", target, fields)
    guard first.status == 307, let location = first["location"] else { return (first, first) }
    return (first, try Curl.ask("GET", location))
  }

  /// Whether the whole object is there, in time.
  package func isFilled(_ blob: TestBlob) throws -> Bool {
    // A moment after the object is there, bloblo knows it too: until then clients still read along.
    eventually { (try? bucket.size(blob.key)) == Int64(blob.bytes.count) }
      && logSays("\"filled\"", blob.key)
  }

  /// All that bloblo wrote so far.
  package var log: String {
    (try? String(contentsOfFile: stack.facts.blobloLog ?? "", encoding: .utf8)) ?? ""
  }

  /// Whether a line of the log holds all these, in time.
  package func logSays(_ words: String..., within limit: Duration = patience) -> Bool {
    eventually(within: limit) {
      log.split(separator: "\n").contains { line in words.allSatisfy { line.contains($0) } }
    }
  }

  /// What of the secrets that were used stands in the log.
  package var secretsInLog: [String] {
    let secrets = [
      Stack.password, "bob-password", Self.basic, Stack.secretKey, "X-Amz-Signature", "Signature=",
      "Basic ", "Bearer ", "wrong-password", "a-token-of-",
    ]
    let log = log
    return (secrets + used.withLock { $0 }).filter { log.contains($0) }
  }
}

/// Puts a blob into a repository by the upload API.
///
/// Source: OCI distribution-spec, "POST then PUT".
package func push(
  _ blob: TestBlob, to repository: String, at url: String, _ credential: [String]
) throws {
  let begun = try Curl.ask("POST", "\(url)/v2/\(repository)/blobs/uploads/", credential)
  guard begun.status == 202, let location = begun["location"] else {
    throw Stack.Failure(description: "POST of an upload: status \(begun.status) \(begun.text)")
  }
  let absolute = location.hasPrefix("/") ? url + location : location
  let joint = absolute.contains("?") ? "&" : "?"
  let done = try Curl.ask(
    "PUT", "\(absolute)\(joint)digest=\(blob.digest)", credential, body: blob.bytes)
  guard done.status == 201 else {
    throw Stack.Failure(description: "PUT of an upload: status \(done.status) \(done.text)")
  }
}

private func port(_ url: String) -> UInt16 {
  UInt16(url.split(separator: ":").last ?? "") ?? 0
}
