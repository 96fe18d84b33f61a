import Foundation
import HTTPTransport
import Primitives
import Synchronization
import TestSupport
import Testing

@testable import S3

struct CredentialStoreTests {
  // MARK: the plan

  @Test(arguments: [
    // life, chance, seconds before the end
    (Int64(3600), 0.0, Int64(900)), (3600, 1, 1125), (21_600, 0, 900), (900, 0, 300), (900, 1, 375),
    (3, 0, 1), (0, 0, 0),
  ])
  func `a credential is refreshed ahead of its end`(life: Int64, chance: Double, lead: Int64) {
    let obtained = UnixTime(seconds: 1_000_000)
    let due = RefreshPlan.due(expiration: obtained + life, obtained: obtained, chance: chance)
    #expect(obtained + life - due == lead)
  }

  @Test func `failures are followed by longer pauses, up to a minute`() {
    let longest = (1...9).map { RefreshPlan.pause(failures: $0, chance: 1).components.seconds }
    #expect(longest == [1, 2, 4, 8, 16, 32, 60, 60, 60])
    #expect(RefreshPlan.pause(failures: 9, chance: 0) == .seconds(30))
  }

  // MARK: the store

  @Test func `a credential is replaced before it ends`() throws {
    let source = Source([.found("a", life: 4), .found("b", life: 3600)])
    let store = source.store()
    defer { store.stop() }
    #expect(store.start().isFound)
    #expect(store.current(at: source.now)?.credential.accessKeyID == "a")
    source.pass(seconds: 3)
    #expect(eventually { store.current(at: source.now)?.credential.accessKeyID == "b" })
    #expect(source.told == ["obtained a", "obtained b"])
  }

  @Test func `while a refresh fails the old one serves as long as it lives, and then none`() throws
  {
    let source = Source([.found("a", life: 3), .failed])
    let store = source.store()
    defer { store.stop() }
    #expect(store.start().isFound)
    source.pass(seconds: 2)
    #expect(eventually { source.told.contains("failed") })
    #expect(store.current(at: source.now)?.credential.accessKeyID == "a")
    source.pass(seconds: 1)
    #expect(eventually { source.told.contains("ended a") })
    #expect(store.current(at: source.now) == nil)
    source.next = [.found("c", life: 3600)]
    #expect(eventually { store.current(at: source.now)?.credential.accessKeyID == "c" })
  }

  @Test func `a source that is silent at the start is waited for`() throws {
    let source = Source([.failed])
    let store = source.store()
    defer { store.stop() }
    guard case .failed = store.start() else {
      Issue.record("it did not fail")
      return
    }
    #expect(eventually { source.calls >= 2 })
    #expect(store.current(at: source.now) == nil)
    source.next = [.found("late", life: nil)]
    #expect(eventually { store.current(at: source.now)?.credential.accessKeyID == "late" })
  }

  @Test func `a file that is replaced is noticed`() throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "bloblo-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: file) }
    func write(_ key: String) throws {
      try "[default]\naws_access_key_id = \(key)\naws_secret_access_key = s".write(
        to: file, atomically: true, encoding: .utf8)
    }
    try write("old")
    let source = Source([])
    let store = CredentialStore(
      CredentialChain(environment: [
        "AWS_SHARED_CREDENTIALS_FILE": file.path, "AWS_EC2_METADATA_DISABLED": "true",
      ]), observer: source)
    defer { store.stop() }
    #expect(store.start().isFound)
    let first = try #require(store.current(at: .now()))
    #expect(first.credential.accessKeyID == "old")
    try write("new")
    #expect(eventually { store.current(at: .now())?.credential.accessKeyID == "new" })
    #expect(store.current(at: .now())?.generation != first.generation)
    // A file that is gone leaves what was there.
    try FileManager.default.removeItem(at: file)
    #expect(eventually { source.told.contains("failed") })
    #expect(store.current(at: .now())?.credential.accessKeyID == "new")
  }

  @Test func `what S3 refuses is fetched anew, once for many refusals`() throws {
    let source = Source([.found("a", life: 3600), .found("b", life: 3600)])
    let store = source.store()
    defer { store.stop() }
    #expect(store.start().isFound)
    let generation = try #require(store.current(at: source.now)).generation
    source.pass(seconds: 10)
    for _ in 0..<100 { store.invalidate(generation) }
    #expect(eventually { store.current(at: source.now)?.credential.accessKeyID == "b" })
    store.invalidate(generation)
    usleep(200_000)
    #expect(source.calls == 2)
  }

  private func client(of store: CredentialStore) throws -> BucketClient {
    BucketClient(
      BucketSite(
        try Bucket("bucket", region: "r", endpoint: Endpoint("http://s3:9000")), credentials: store)
    )
  }

  @Test func `the signer follows the credential`() throws {
    let source = Source([.found("a", life: 4), .found("b", life: 3600)])
    let store = source.store()
    defer { store.stop() }
    _ = store.start()
    let client = try client(of: store)
    func signedBy() throws -> String? {
      var http = ScriptedClient(404)
      _ = try client.head(ObjectKey("k"), over: &http, now: source.now)
      return http.requests[0].fields.first(named: "authorization")?.text
    }
    #expect(try signedBy()?.contains("Credential=a/") == true)
    source.pass(seconds: 3)
    #expect(eventually { (try? signedBy()?.contains("Credential=b/")) == true })
  }

  @Test func `after a credential has ended its successor signs, not the ended one again`() throws {
    let source = Source([.found("a", life: 30), .failed])
    let store = source.store()
    defer { store.stop() }
    _ = store.start()
    let client = try client(of: store)
    func expectSigning(by id: String) throws {
      var http = ScriptedClient(404)
      _ = try client.head(ObjectKey("k"), over: &http, now: source.now)
      let field = http.requests[0].fields.first(named: "authorization")?.text
      #expect(field?.contains("Credential=\(id)/") == true)
      let url = try client.presign(.get, ObjectKey("k"), lifetime: .seconds(60), now: source.now)
      #expect(url.string.contains("X-Amz-Credential=\(id)%2F"))
    }
    try expectSigning(by: "a")
    source.pass(seconds: 30)
    #expect(eventually { source.told.contains("ended a") })
    source.next = [.found("b", life: 3600)]
    #expect(eventually { store.current(at: source.now)?.credential.accessKeyID == "b" })
    try expectSigning(by: "b")
  }
}

/// Gives what it was told to, and repeats the last. Its clock stands still until time is said to pass.
private final class Source: CredentialSource, CredentialObserver {
  enum Step: Sendable {
    case found(String, life: Int64?)
    case failed
  }

  private struct State {
    var steps: [Step]
    var told: [String] = []
    var calls = 0
    var now = UnixTime.now()
  }

  let name = "test"
  private let state: Mutex<State>

  init(_ steps: [Step]) { state = Mutex(State(steps: steps)) }

  func store() -> CredentialStore {
    CredentialStore(CredentialChain([self]), observer: self) { [self] in now }
  }

  var now: UnixTime { state.withLock(\.now) }
  func pass(seconds: Int64) { state.withLock { $0.now = $0.now + seconds } }

  var told: [String] { state.withLock(\.told) }
  var calls: Int { state.withLock(\.calls) }
  var next: [Step] {
    get { state.withLock(\.steps) }
    set { state.withLock { $0.steps = newValue } }
  }

  func find(over http: inout HTTPClient, now: UnixTime) throws(CredentialError) -> CredentialFinding
  {
    let step = state.withLock { state in
      state.calls += 1
      return state.steps.count > 1 ? state.steps.removeFirst() : state.steps[0]
    }
    switch step {
    case .failed: throw CredentialError(.unavailable, source: name, reason: "down")
    case .found(let id, let life):
      return .found(
        Credential(
          accessKeyID: id, secretAccessKey: Secret("s"), expiration: life.map { now + $0 }),
        by: name)
    }
  }

  private func tell(_ words: String) {
    state.withLock { state in
      if state.told.last != words { state.told.append(words) }
    }
  }

  func obtained(accessKeyID: String, source: String, lifeLeft: Int64?) {
    tell("obtained \(accessKeyID)")
  }
  func failed(_ reason: String, lifeLeft: Int64?) { tell("failed") }
  func ended(accessKeyID: String) { tell("ended \(accessKeyID)") }
}

extension CredentialChain.Outcome {
  fileprivate var isFound: Bool { if case .found = self { true } else { false } }
}
