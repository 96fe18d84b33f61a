import Foundation
import Hashing
import Offload
import Primitives
import Registry
import S3
import Store
import TestSupport
import Testing

struct S3BlobStoreTests {
  @Test func `a URL says which key signed it, and the store which key signs now`() throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "bloblo-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: file) }
    func write(_ key: String) throws {
      try "[default]\naws_access_key_id = \(key)\naws_secret_access_key = s".write(
        to: file, atomically: true, encoding: .utf8)
    }
    try write("old")
    let credentials = CredentialStore(
      CredentialChain(environment: [
        "AWS_SHARED_CREDENTIALS_FILE": file.path, "AWS_EC2_METADATA_DISABLED": "true",
      ]), observer: Silent())
    defer { credentials.stop() }
    _ = credentials.start()
    let store = S3BlobStore(
      bucket: BucketClient(
        BucketSite(
          try Bucket("bucket", region: "r", endpoint: Endpoint("http://s3")),
          credentials: credentials)),
      template: .digest, presignLifetime: .seconds(300), cloudFront: nil, delivery: .redirect)
    let digest = try #require(Digest("sha256:" + String(repeating: "0", count: 64)))

    let old = try store.presign(digest, now: .now())
    #expect(old.generation == store.signingGeneration(at: .now()))
    try write("new")
    #expect(eventually { store.signingGeneration(at: .now()) != old.generation })
    let new = try store.presign(digest, now: .now())
    #expect(String(decoding: new.bytes, as: UTF8.self).contains("Credential=new%2F"))
    #expect(new.generation == store.signingGeneration(at: .now()))
  }

  @Test func `a URL of CloudFront says which key signed it`() throws {
    let pem = try Program.run([
      "openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
    ]).output
    let signer = try CloudFrontSigner(
      Endpoint("https://cdn.example.com"), keyPairID: "K", key: PrivateKey(pem: Array(pem)))
    let store = S3BlobStore(
      bucket: BucketClient(
        try Bucket("bucket", region: "r"),
        credential: Credential(accessKeyID: "id", secretAccessKey: Secret("s"))),
      template: .digest, presignLifetime: .seconds(300), cloudFront: signer, delivery: .redirect)
    let digest = try #require(Digest("sha256:" + String(repeating: "0", count: 64)))
    let old = try store.presign(digest, now: .now())
    #expect(old.generation == store.signingGeneration(at: .now()))
    signer.renewKey(from: signer)
    #expect(old.generation != store.signingGeneration(at: .now()))
  }
}

private struct Silent: CredentialObserver {
  func obtained(accessKeyID: String, source: String, lifeLeft: Int64?) {}
  func failed(_ reason: String, lifeLeft: Int64?) {}
  func ended(accessKeyID: String) {}
}
