import Offload
import Primitives
import Registry
import Testing
import Threading

@testable import Gateway
@testable import Settings
@testable import Store
@testable import Telemetry

/// A purged blob is held until every URL that was signed for it before has ended.
struct PurgesTests {
  private let purges: Purges
  private let now = Moment(unix: UnixTime(seconds: 1_700_000_000), steady: 5_000_000)
  private let digest = Digest("sha256:" + String(repeating: "a", count: 64))!
  private let other = Digest("sha256:" + String(repeating: "b", count: 64))!

  init() throws {
    let environment = [
      "BLOBLO_UPSTREAM_URL": "http://127.0.0.1:9", "BLOBLO_S3_ENDPOINT_URL": "http://127.0.0.1:9",
      "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "BLOBLO_PRESIGN_EXPIRES": "10m",
    ]
    let settings = try ProcessSettings(environment: environment)
    purges =
      GatewayServices(
        settings, credentials: SigningCredentials(settings.credentials), environment: environment,
        log: Log(level: settings.logLevel, format: settings.logFormat), on: EventLoop()
      ).purges
  }

  private func after(_ milliseconds: Int64) -> Moment {
    Moment(unix: now.unix, steady: now.steady + milliseconds)
  }

  @Test func `the hold lasts as long as a URL that was signed a moment before`() {
    #expect(purges.add(digest, at: now) == .seconds(600))
    for milliseconds: Int64 in [0, 1000, 599_000, 600_999] {
      purges.tick(at: after(milliseconds))
      #expect(purges.isHeld(digest))
      #expect(!purges.isHeld(other))
    }
    purges.tick(at: after(601_000))
    #expect(!purges.isHeld(digest))
  }

  @Test func `a second purge lengthens it, and shortens nothing`() {
    _ = purges.add(digest, at: after(60_000))
    _ = purges.add(digest, at: now)
    purges.tick(at: after(660_999))
    #expect(purges.isHeld(digest))
    purges.tick(at: after(661_000))
    #expect(!purges.isHeld(digest))
  }

  @Test func `what gives the blob out or fills it is held, and what the registry answers is not`() {
    _ = purges.add(digest, at: now)
    let proof = BlobProof(size: 7)
    let given: [Decision] = [
      .redirect(location: [], size: 7), .accelerate(proof, url: [], size: 7),
      .multipart(proof, size: 7), .fill(proof, size: 7, replacing: nil),
    ]
    for decision in given {
      #expect(purges.hold(digest, decision))
      #expect(!purges.hold(other, decision))
    }
    for decision in [Decision.pass(.delivery), .answer(proof, size: 7)] {
      #expect(!purges.hold(digest, decision))
    }
  }
}
