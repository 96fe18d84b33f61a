import HTTPTransport
import Offload
import Primitives
import Registry
import Testing

private let path = BlobPath(
  name: RepositoryName("a")!, digest: Digest("sha256:" + String(repeating: "0", count: 64))!)

private struct FakeUpstream: ProofSource {
  let answer: Result<BlobProof, Unproven>
  func prove(
    _ path: BlobPath, for client: ClientFields, by http: inout HTTPClient
  ) throws(Unproven) -> BlobProof { try answer.get() }
}

private struct FakeStore: BlobStore {
  let sizes: [Digest: Int64]
  var failure: String?
  var presignFailure: String?
  func size(of digest: Digest, by http: inout HTTPClient, now: UnixTime) throws(BlobStoreError)
    -> Int64?
  {
    if let failure { throw BlobStoreError(failure) }
    return sizes[digest]
  }
  func presign(_ digest: Digest, now: UnixTime) throws(BlobStoreError) -> [UInt8] {
    if let presignFailure { throw BlobStoreError(presignFailure) }
    return Array("url".utf8)
  }
}

struct DecisionTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let leaf: String
    var method = BlobRequest.Method.get
    var range = BlobRequest.Range.whole
    var isConditional = false
    var delivery = Delivery.redirect
    var minimum: Int64 = 0
    var proven: Int64?? = .some(10)
    var unproven = Unproven.status(401)
    var stored: Int64?
    var storeFailure: String?
    var presignFailure: String?
    var testDescription: String { leaf }
  }

  @Test(arguments: [
    Case(leaf: "pass delivery", delivery: .pass, stored: 10),
    Case(leaf: "pass conditional", isConditional: true, stored: 10),
    Case(leaf: "pass range", range: .other, stored: 10),
    Case(leaf: "pass range", method: .head, range: .single, stored: 10),
    Case(leaf: "pass range", method: .head, range: .other, stored: 10),
    Case(leaf: "pass upstream-status", proven: nil, stored: 10),
    Case(leaf: "pass upstream-status", method: .head, proven: nil, stored: 10),
    Case(leaf: "pass upstream-page", proven: nil, unproven: .page, stored: 10),
    Case(leaf: "pass upstream-redirect", proven: nil, unproven: .redirectElsewhere, stored: 10),
    Case(leaf: "pass upstream-digest", proven: nil, unproven: .otherDigest, stored: 10),
    Case(leaf: "pass upstream-unreachable", proven: nil, unproven: .unreachable("x"), stored: 10),
    Case(leaf: "pass unknown-size", method: .head, proven: .some(nil), stored: 10),
    Case(leaf: "answer 10", method: .head),
    Case(leaf: "answer 10", method: .head, minimum: 11, storeFailure: "down"),
    Case(leaf: "pass small-blob", minimum: 11, stored: 10),
    Case(leaf: "redirect", minimum: 10, stored: 10),
    Case(leaf: "pass s3", storeFailure: "down"),
    Case(leaf: "pass s3", stored: 10, presignFailure: "no credential"),
    Case(leaf: "redirect", stored: 10),
    Case(leaf: "redirect", range: .single, stored: 10),
    Case(leaf: "redirect", proven: .some(nil), stored: 11),
    Case(leaf: "pass unknown-size", proven: .some(nil)),
    Case(leaf: "fill 10 nil"),
    Case(leaf: "fill 10 nil", range: .single),
    Case(leaf: "fill 10 9", stored: 9),
    Case(leaf: "fill 10 0", stored: 0),
  ])
  func `a request becomes its leaf`(c: Case) {
    let proof: Result<BlobProof, Unproven> =
      if let size = c.proven { .success(BlobProof(size: size)) } else { .failure(c.unproven) }
    let engine = OffloadEngine(
      upstream: FakeUpstream(answer: proof),
      store: FakeStore(
        sizes: c.stored.map { [path.digest: $0] } ?? [:], failure: c.storeFailure,
        presignFailure: c.presignFailure),
      policy: .init(delivery: c.delivery, minimumBlobSize: c.minimum))
    var http = HTTPClient()
    let decision = engine.decide(
      BlobRequest(c.method, path, range: c.range, isConditional: c.isConditional), by: &http,
      now: UnixTime(seconds: 0))
    let leaf =
      switch decision {
      case .pass(let reason): "pass \(reason)"
      case .answer(_, let size): "answer \(size)"
      case .redirect(let location):
        location == Array("url".utf8) ? "redirect" : "redirect elsewhere"
      case .fill(_, let size, let wrong): "fill \(size) \(wrong.map { "\($0.size)" } ?? "nil")"
      }
    #expect(leaf == c.leaf)
  }

  @Test(arguments: [
    ("bytes=0-0", true), ("Bytes=5-", true), ("bytes=-5", true), ("bytes=0-1,3-4", false),
    ("items=0-1", false), ("bytes", false), ("bytes=", false), ("", false), ("bytes 0-1", false),
  ])
  func `one byte range is single`(field: String, isSingle: Bool) {
    switch BlobRequest.Range(field: Array(field.utf8).span) {
    case .single: #expect(isSingle)
    case .other: #expect(!isSingle)
    case .whole: Issue.record("a Range field is never the whole")
    }
  }
}
