import HTTPTransport
import Offload
import Primitives
import Registry
import Synchronization
import TestSupport
import Testing

private let query = AccessQuery(
  location: LocationID(0), fingerprint: ClientFingerprint([UInt8](repeating: 1, count: 16).span),
  path: BlobPath(
    name: RepositoryName("a")!, digest: Digest("sha256:" + String(repeating: "0", count: 64))!))
private let start = Moment(unix: UnixTime(seconds: 1000), steady: 1_000_000)

extension Decision {
  var leaf: String {
    switch self {
    case .pass(let reason): "pass \(reason)"
    case .answer(_, let size): "answer \(size)"
    case .redirect(let url, _): url == Array("url".utf8) ? "redirect" : "redirect elsewhere"
    case .accelerate: "accelerate"
    case .multipart(_, let size): "multipart \(size)"
    case .fill(_, let size, let wrong):
      "fill \(size.map { "\($0)" } ?? "?") \(wrong.map { "\($0.size)" } ?? "nil")"
    }
  }
}

private struct FakeUpstream: ProofSource {
  let answer: Result<BlobProof, Unproven>
  func prove(
    _ path: BlobPath, for client: ClientFields, by http: inout HTTPClient
  ) throws(Unproven) -> BlobProof { try answer.get() }
}

private struct FakeStore: BlobStore {
  let sizes: [Digest: Int64]
  var defect: StoredBlob.Defect?
  var failure: String?
  var isAccessDenied = false
  var presignFailure: String?
  var isProven = false
  var isTarget = false
  func isObject(_ url: [UInt8], of digest: Digest) -> Bool {
    isTarget && url == Array("object".utf8)
  }
  func find(_ digest: Digest, by http: inout HTTPClient, now: UnixTime) throws(BlobStoreError)
    -> StoredBlob?
  {
    if let failure { throw BlobStoreError(failure, isAccessDenied: isAccessDenied) }
    return sizes[digest].map { StoredBlob(size: $0, defect: defect, isProven: isProven) }
  }
  func clockCorrection(at now: Moment) -> Int64 { 0 }
  func signingGeneration(at now: Moment) -> Int { 0 }
  func presign(_ digest: Digest, now: Moment) throws(BlobStoreError)
    -> SignedURL
  {
    if let presignFailure { throw BlobStoreError(presignFailure) }
    return SignedURL(bytes: Array("url".utf8), reusableUntil: now.steady + 60_000)
  }
}

/// Asks as the program does: by memory, else by asking, and decides by what was found.
extension OffloadEngine {
  func decideAtOnce(_ request: BlobRequest, at now: Moment) -> Decision? {
    if case .decision(let decision) = recollect(request, at: now) { decision } else { nil }
  }

  func decide(_ request: BlobRequest, at now: Moment) -> Decision {
    if let decision = decideAtOnce(request, at: now) { return decision }
    var http = HTTPClient()
    let lookup = prove(
      request, for: ClientFields([]), credentialEnd: nil, by: &http, at: now)
    if let whole = complete(lookup, of: request, at: now) {
      return decide(request, by: whole, at: now)
    }
    let seen = look(at: request.query.blob, by: &http, at: now)
    return decide(request, by: lookup.completed(by: seen), at: now)
  }
}

/// Upstream and a bucket that count who asks, and change their minds.
final class Counting: ProofSource, BlobStore {
  struct State {
    var proofs = 0
    var finds = 0
    var signatures = 0
    var answer: Result<BlobProof, Unproven> = .success(BlobProof(size: 10))
    var isStoreDown = false
    /// Digests of which the store says nothing.
    var denied: Set<Digest> = []
    var stored: StoredBlob? = StoredBlob(size: 10)
    var correction: Int64 = 0
    var generation = 1
  }

  let state = Mutex(State())

  func prove(
    _ path: BlobPath, for client: ClientFields, by http: inout HTTPClient
  ) throws(Unproven) -> BlobProof {
    try state.withLock {
      $0.proofs += 1
      return $0.answer
    }.get()
  }

  func find(_ digest: Digest, by http: inout HTTPClient, now: UnixTime) throws(BlobStoreError)
    -> StoredBlob?
  {
    let (isDown, isDenied, stored) = state.withLock {
      $0.finds += 1
      return ($0.isStoreDown, $0.denied.contains(digest), $0.stored)
    }
    if isDown { throw BlobStoreError("down", outcome: .noAnswer) }
    if isDenied { throw BlobStoreError("denied", isAccessDenied: true) }
    return stored
  }

  func clockCorrection(at now: Moment) -> Int64 { state.withLock { $0.correction } }
  func signingGeneration(at now: Moment) -> Int { state.withLock { $0.generation } }

  func presign(_ digest: Digest, now: Moment) throws(BlobStoreError) -> SignedURL {
    state.withLock {
      $0.signatures += 1
      return SignedURL(
        bytes: Array("url".utf8), reusableUntil: now.steady + 60_000, correction: $0.correction,
        generation: $0.generation)
    }
  }
}

/// A bucket that has nothing; but before its answer is there, a fill publishes the blob.
private final class Racing: BlobStore {
  let engine = Mutex<OffloadEngine?>(nil)

  func find(_ digest: Digest, by http: inout HTTPClient, now: UnixTime) throws(BlobStoreError)
    -> StoredBlob?
  {
    let engine = engine.withLock { $0 }
    engine?.remember(StoredBlob(size: 10), of: digest, in: query.location, at: start)
    return nil
  }

  func clockCorrection(at now: Moment) -> Int64 { 0 }
  func signingGeneration(at now: Moment) -> Int { 0 }

  func presign(_ digest: Digest, now: Moment) throws(BlobStoreError) -> SignedURL {
    SignedURL(bytes: Array("url".utf8), reusableUntil: now.steady + 60_000)
  }
}

struct RememberingTests {
  private let servers = Counting()

  private func engine(_ lifetimes: DecisionCache.Lifetimes) -> OffloadEngine {
    OffloadEngine(upstream: servers, store: servers, cache: DecisionCache(lifetimes))
  }

  private func later(_ seconds: Int64) -> Moment {
    Moment(unix: start.unix + seconds, steady: start.steady + seconds * 1000)
  }

  private let get = BlobRequest(.get, query)

  @Test func `what is remembered asks nobody`() {
    let engine = engine(DecisionCache.Lifetimes(proof: .seconds(30), presence: .seconds(300)))
    #expect(engine.decide(get, at: start).leaf == "redirect")
    for second in 0..<30 {
      // Another client each time: one that comes back is another rule.
      let get = BlobRequest(.get, query, client: UInt64(second))
      #expect(engine.decide(get, at: later(Int64(second))).leaf == "redirect")
      for turn in 1...10 {
        let get = BlobRequest(.get, query, client: UInt64(second + turn * 100))
        #expect(engine.decideAtOnce(get, at: later(Int64(second)))?.leaf == "redirect")
      }
    }
    let state = servers.state.withLock { $0 }
    #expect((state.proofs, state.signatures) == (1, 1))
    #expect(state.finds <= 16, "nothing is heard of the bucket but by looks")
    #expect(engine.decideAtOnce(get, at: later(30)) == nil, "the proof's life is over")
  }

  @Test func `a question looks for its proof once, and counts one miss`() {
    let cache = DecisionCache(
      DecisionCache.Lifetimes(proof: .seconds(30), presence: .seconds(300)))
    let engine = OffloadEngine(upstream: servers, store: servers, cache: cache)
    #expect(engine.decideAtOnce(get, at: start) == nil)
    #expect(engine.answerForUpstream(get, at: start) == nil)
    _ = engine.learn(
      .success(BlobProof(size: 10)), of: get, after: .zero, credentialEnd: nil, at: start)
    let proofs = cache.counts.first { $0.name == "proof" }?.counts
    #expect((proofs?.entries, proofs?.hits, proofs?.misses) == (1, 0, 1))
  }

  @Test func `a HEAD always asks, and its proof serves the GET behind it`() {
    let engine = engine(DecisionCache.Lifetimes(proof: .seconds(30), presence: .seconds(300)))
    let head = BlobRequest(.head, query)
    for turn in 1...3 {
      #expect(engine.decideAtOnce(head, at: start) == nil)
      #expect(engine.recall(head, at: start) == nil)
      #expect(!engine.mayShareAnswer(head, at: start))
      #expect(engine.decide(head, at: start).leaf == "answer 10")
      #expect(servers.state.withLock { $0.proofs } == turn)
    }
    #expect(engine.decide(get, at: start).leaf == "redirect")
    #expect(servers.state.withLock { $0.proofs } == 3)
    #expect(engine.mayShareAnswer(get, at: start))
    servers.state.withLock { $0.answer = .failure(.status(404)) }
    #expect(engine.decide(head, at: start).leaf == "pass upstream-status")
    #expect(engine.decide(get, at: start).leaf == "pass upstream-status", "the HEAD heard it first")
  }

  @Test func `a HEAD that the registry does not answer passes, if nothing else is set`() {
    let lifetimes = DecisionCache.Lifetimes(proof: .seconds(30), presence: .seconds(300))
    var staleLifetimes = lifetimes
    staleLifetimes.staleProof = .seconds(600)
    let (fresh, stale) = (engine(lifetimes), engine(staleLifetimes))
    let head = BlobRequest(.head, query)
    for engine in [fresh, stale] { _ = engine.decide(head, at: start) }
    servers.state.withLock { $0.answer = .failure(.status(503)) }
    #expect(fresh.decide(head, at: later(1)).leaf == "pass upstream-status")
    #expect(stale.decide(head, at: later(1)).leaf == "answer 10")
  }

  @Test func `a bucket that does not answer any more is not redirected to`() {
    let engine = engine(DecisionCache.Lifetimes(proof: .seconds(300), presence: .seconds(300)))
    #expect(engine.decide(get, at: start).leaf == "redirect")
    servers.state.withLock { $0.isStoreDown = true }
    #expect(engine.decideAtOnce(get, at: start)?.leaf == "redirect", "nobody knows yet")
    for second in 2..<60 {
      #expect(engine.decide(get, at: later(Int64(second))).leaf.hasPrefix("pass"))
    }
  }

  @Test func `an absence does not outlive the news of a fill`() {
    let store = Racing()
    let engine = OffloadEngine(
      upstream: servers, store: store,
      cache: DecisionCache(DecisionCache.Lifetimes(proof: .seconds(30), presence: .seconds(300))))
    store.engine.withLock { $0 = engine }
    #expect(engine.decide(get, at: start).leaf == "redirect")
    #expect(engine.decideAtOnce(get, at: start)?.leaf == "redirect")
  }

  @Test func `with lives of zero every request asks`() {
    let engine = engine(DecisionCache.Lifetimes())
    for _ in 0..<3 { #expect(engine.decide(get, at: start).leaf == "redirect") }
    let state = servers.state.withLock { $0 }
    #expect((state.proofs, state.finds) == (3, 3))
  }

  @Test func `a URL is signed anew when a part of its life is over`() {
    let engine = engine(DecisionCache.Lifetimes(proof: .seconds(300), presence: .seconds(300)))
    _ = engine.decide(get, at: start)
    _ = engine.decide(get, at: later(59))
    #expect(servers.state.withLock { $0.signatures } == 1)
    _ = engine.decide(get, at: later(60))
    #expect(servers.state.withLock { $0.signatures } == 2)
  }

  @Test func `a refusal is asked for every time, and ends what was allowed`() {
    let engine = engine(
      DecisionCache.Lifetimes(
        proof: .seconds(30), staleProof: .seconds(600), presence: .seconds(300)))
    _ = engine.decide(get, at: start)
    servers.state.withLock { $0.answer = .failure(.status(401)) }
    for turn in 1...3 {
      #expect(engine.decide(get, at: later(30)).leaf == "pass upstream-status")
      #expect(servers.state.withLock { $0.proofs } == 1 + turn)
    }
    servers.state.withLock { $0.answer = .failure(.unreachable("down")) }
    #expect(engine.decide(get, at: later(31)).leaf == "pass upstream-unreachable")
  }

  @Test func `a stale proof serves while upstream is down, if that is set`() {
    let lifetimes = DecisionCache.Lifetimes(proof: .seconds(30), presence: .seconds(300))
    var staleLifetimes = lifetimes
    staleLifetimes.staleProof = .seconds(600)
    let (fresh, stale) = (engine(lifetimes), engine(staleLifetimes))
    _ = fresh.decide(get, at: start)
    _ = stale.decide(get, at: start)
    servers.state.withLock { $0.answer = .failure(.status(503)) }
    #expect(fresh.decide(get, at: later(40)).leaf == "pass upstream-status")
    #expect(stale.decide(get, at: later(40)).leaf == "redirect")
  }

  @Test func `a dead bucket is left alone, and nobody asked for it`() {
    let engine = engine(DecisionCache.Lifetimes())
    servers.state.withLock { $0.isStoreDown = true }
    let now = Moment.now()
    for _ in 0..<20 { #expect(engine.decide(get, at: now).leaf == "pass s3") }
    let state = servers.state.withLock { $0 }
    #expect(state.finds == 1)
    #expect(engine.decide(BlobRequest(.head, query), at: now).leaf == "answer 10")
  }

  @Test func `a bucket that does not speak of some blobs is not dead for the others`() throws {
    let engine = engine(DecisionCache.Lifetimes(proof: .seconds(30), presence: .seconds(60)))
    let digest = try #require(Digest("sha256:" + String(repeating: "1", count: 64)))
    let path = BlobPath(name: query.path.name, digest: digest)
    let cold = BlobRequest(
      .get, AccessQuery(location: query.location, fingerprint: query.fingerprint, path: path))
    servers.state.withLock { $0.denied = [cold.path.digest] }
    let now = Moment.now()
    for _ in 0..<50 { #expect(engine.decide(cold, at: now).leaf == "pass s3-denied") }
    #expect(engine.decide(get, at: now).leaf == "redirect")
  }

  @Test func `what was there and is denied now is not redirected to any more`() {
    let engine = engine(DecisionCache.Lifetimes(proof: .seconds(30), presence: .seconds(60)))
    #expect(engine.decide(get, at: start).leaf == "redirect")
    servers.state.withLock { $0.denied = [get.path.digest] }
    #expect(engine.decide(get, at: later(2)).leaf == "pass s3", "the client has come back")
    for _ in 0..<20 { #expect(engine.decide(get, at: later(2)).leaf == "pass s3-denied") }
  }

  @Test func `a dead upstream is left alone`() {
    let engine = engine(DecisionCache.Lifetimes())
    servers.state.withLock { $0.answer = .failure(.unreachable("refused")) }
    let now = Moment.now()
    for _ in 0..<20 { #expect(engine.decide(get, at: now).leaf == "pass upstream-unreachable") }
    #expect(servers.state.withLock { $0.proofs } == 1)
  }

  @Test func `one that is back is asked again, though requests never cease`() throws {
    let engine = engine(DecisionCache.Lifetimes())
    servers.state.withLock { $0.answer = .failure(.unreachable("refused")) }
    for _ in 0..<5 { _ = engine.decide(get, at: Moment.now()) }
    servers.state.withLock { $0.answer = .success(BlobProof(size: 10)) }
    #expect(eventually { engine.decide(get, at: Moment.now()).leaf == "redirect" })
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
    var isStoredProven = false
    /// Whether the registry redirects to the object itself.
    var isTarget = false
    var learnt: Int64?
    var defect: StoredBlob.Defect?
    var storeFailure: String?
    var isAccessDenied = false
    var presignFailure: String?
    var ifRange: [UInt8]?
    var testDescription: String { leaf }
  }

  @Test(arguments: [
    Case(leaf: "pass delivery", delivery: .pass, stored: 10),
    Case(leaf: "pass conditional", isConditional: true, stored: 10),
    Case(leaf: "pass range", range: .other, stored: 10),
    Case(leaf: "pass range", method: .head, range: .single, stored: 10),
    Case(leaf: "pass range", method: .head, range: .several, stored: 10),
    Case(leaf: "multipart 10", range: .several, stored: 10),
    Case(leaf: "multipart 10", range: .several, delivery: .accelerate, stored: 10),
    Case(
      leaf: "pass if-range", range: .several, stored: 10, ifRange: Array("\"elsewhere\"".utf8)),
    Case(leaf: "fill 10 nil", range: .several),
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
    Case(leaf: "pass s3-denied", storeFailure: "status 403 AccessDenied", isAccessDenied: true),
    Case(leaf: "pass s3", stored: 10, presignFailure: "no credential"),
    Case(leaf: "redirect", stored: 10),
    Case(leaf: "redirect", range: .single, stored: 10),
    // Any object could stand there.
    Case(leaf: "pass unknown-size", proven: .some(nil), stored: 11),
    Case(leaf: "redirect", proven: .some(nil), stored: 11, isStoredProven: true),
    Case(leaf: "redirect", proven: .some(nil), stored: 11, isTarget: true),
    Case(leaf: "fill ? nil", proven: .some(nil)),
    Case(leaf: "fill 10 nil", proven: .some(nil), learnt: 10),
    Case(leaf: "redirect", proven: .some(nil), stored: 10, learnt: 10),
    Case(leaf: "fill 10 11", proven: .some(nil), stored: 11, learnt: 10),
    Case(leaf: "pass unknown-size", method: .head, proven: .some(nil), learnt: 10),
    Case(leaf: "accelerate", delivery: .accelerate, stored: 10),
    Case(leaf: "accelerate", range: .single, delivery: .accelerate, stored: 10),
    Case(
      leaf: "pass if-range", range: .single, delivery: .accelerate, stored: 10,
      ifRange: Array("\"elsewhere\"".utf8)),
    Case(leaf: "pass if-range", range: .single, stored: 10, ifRange: Array("\"elsewhere\"".utf8)),
    Case(leaf: "redirect", stored: 10, ifRange: Array("\"elsewhere\"".utf8)),
    Case(leaf: "pass upstream-name", proven: nil, unproven: .otherName, stored: 10),
    Case(leaf: "fill 10 nil", delivery: .accelerate),
    Case(leaf: "fill 10 nil"),
    Case(leaf: "fill 10 nil", range: .single),
    Case(leaf: "fill 10 9", stored: 9),
    Case(leaf: "fill 10 0", stored: 0),
    Case(leaf: "fill 10 10", stored: 10, defect: .archived),
    Case(leaf: "fill 10 10", stored: 10, defect: .otherContent),
    Case(leaf: "fill ? 10", proven: .some(nil), stored: 10, defect: .archived),
    Case(leaf: "pass s3", stored: 10, defect: .unreadable),
  ])
  func `a request becomes its leaf`(c: Case) {
    let proof: Result<BlobProof, Unproven> =
      if let size = c.proven { .success(BlobProof(size: size, target: Array("object".utf8))) } else
      { .failure(c.unproven) }
    let engine = OffloadEngine(
      upstream: FakeUpstream(answer: proof),
      store: FakeStore(
        sizes: c.stored.map { [query.path.digest: $0] } ?? [:], defect: c.defect,
        failure: c.storeFailure, isAccessDenied: c.isAccessDenied, presignFailure: c.presignFailure,
        isProven: c.isStoredProven, isTarget: c.isTarget),
      policy: .init(delivery: c.delivery, minimumBlobSize: c.minimum))
    if let size = c.learnt { engine.learn(size: size, of: query.path.digest) }
    let request = BlobRequest(
      c.method, query, range: c.range, isConditional: c.isConditional, ifRange: c.ifRange)
    #expect(engine.decide(request, at: start).leaf == c.leaf)
  }

  @Test(arguments: [
    ("bytes=0-0", true), ("Bytes=5-", true), ("bytes=-5", true),
    ("items=0-1", false), ("bytes=abc", false), ("bytes=-", false), ("bytes=5", false),
    ("bytes=1-2-3", false), ("bytes= 0-1", false), ("bytes", false), ("bytes=", false), ("", false),
    ("bytes 0-1", false),
  ])
  func `one byte range is single`(field: String, isSingle: Bool) {
    switch BlobRequest.Range(field: Array(field.utf8).span) {
    case .single: #expect(isSingle)
    case .several, .other: #expect(!isSingle)
    case .whole: Issue.record("a Range field is never the whole")
    }
  }
}
