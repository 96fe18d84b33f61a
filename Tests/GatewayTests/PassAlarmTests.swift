import Logging
import Offload
import Primitives
import Registry
import Synchronization
import Testing

@testable import Gateway
@testable import Settings
@testable import Store
@testable import Telemetry

struct PassAlarmTests {
  /// Keeps a logger's lines.
  private final class Lines: Sendable {
    let all = Mutex<[(level: Logger.Level, text: String)]>([])

    struct Handler: LogHandler {
      let lines: Lines
      var metadata = Logger.Metadata()
      var logLevel = Logger.Level.trace
      subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
      }

      func log(event: LogEvent) {
        let text = "\(event.message) \(event.metadata ?? [:])"
        lines.all.withLock { $0.append((event.level, text)) }
      }
    }
  }

  @Test func `one line at info, and one more when it begins anew`() throws {
    let settings = try ProcessSettings(environment: [
      "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-1",
    ])
    let locations = Locations(
      settings, SigningCredentials(settings.credentials), environment: [:],
      rule: ParamRule(named: nil, isTCP: false),
      log: RequestRecorder(Logger(label: "test"), LogLevelControl(.critical)).log)
    let lines = Lines()
    let alarm = PassAlarm(Logger(label: "test") { _ in Lines.Handler(lines: lines) })
    let start = Moment.now().steady

    func minutes(_ numbers: Range<Int64>, _ act: (PassWatch) -> Void) {
      for number in numbers {
        act(locations.standard.passes)
        alarm.look(
          at: locations.all,
          now: Moment(unix: UnixTime(seconds: 0), steady: start + (number + 1) * 60_000))
      }
    }

    minutes(0..<15) { watch in for _ in 0..<10 { watch.pass(.upstreamStatus) } }
    #expect(lines.all.withLock { $0.map(\.level) } == [.info])
    let text = lines.all.withLock { $0[0].text }
    for word in ["nearly all", "upstream-status", "BLOBLO_PRESERVE_HOST", "100"] {
      #expect(text.contains(word), "\(text)")
    }
    #expect(alarm.all.map(\.finding.reason) == [.upstreamStatus])
    #expect(alarm.all[0].sentence.contains("100 of 100 blobs of \(settings.location.upstream.url)"))

    minutes(15..<16) { watch in for _ in 0..<1000 { watch.give() } }
    #expect(alarm.all.isEmpty)
    minutes(16..<40) { watch in for _ in 0..<10 { watch.pass(.upstreamStatus) } }
    #expect(lines.all.withLock { $0.count } == 2)
  }
}
