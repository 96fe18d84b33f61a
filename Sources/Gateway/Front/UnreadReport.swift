internal import FastCGI
internal import Offload
internal import Primitives
internal import Registry
internal import Synchronization
internal import Telemetry

/// The web server's report that it could not read an object where bloblo sent it (`BLOBLO_DELIVERY=accelerate`). The
/// registry answers the client.
///
/// | param | value |
/// |---|---|
/// | `REQUEST_URI` | `/.bloblo/unread` |
/// | `BLOBLO_S3_STATUS` | the status that it met: S3's, or its own 502 and 504. nginx's `423 : 404` ends with it |
/// | `BLOBLO_S3_TARGET` | path and query of the signed URL, byte for byte as bloblo gave it |
/// | `BLOBLO_S3_DIGEST` | the digest that came with it |
/// | `HTTP_RANGE` | the client's |
///
/// A client can't send one: its fields arrive as `HTTP_…`. A holder of a signed URL was allowed to read the object.
struct UnreadReport {
  static let uri = "/.bloblo/unread"

  /// 0 when the web server names no status.
  let status: Int
  let digest: Digest
  let target: [UInt8]

  init?(_ request: Request) {
    guard !request.isOfOwnProcess, request.parameter("REQUEST_URI") == Array(Self.uri.utf8),
      let status = request.parameter("BLOBLO_S3_STATUS"),
      let target = request.parameter("BLOBLO_S3_TARGET"),
      let name = request.parameter("BLOBLO_S3_DIGEST"),
      let digest = Digest(String(decoding: name, as: UTF8.self))
    else { return nil }
    let digits = status.reversed().prefix { (0x30...0x39).contains($0) }.prefix(3).reversed()
    self.status = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    self.digest = digest
    self.target = target
  }

  /// Whether S3 refused this object. If not, S3 did not answer or answered with a 5xx.
  var isRefusal: Bool { (400..<500).contains(status) }

  /// The target without its query, which holds the signature.
  var path: String {
    String(decoding: target.prefix { $0 != UInt8(ascii: "?") }, as: UTF8.self)
  }

  /// What the web server met, in words.
  var words: String {
    switch status {
    case 0: "no answer"
    case 502...504: "no answer, or trouble of the server (\(status))"
    default: "status \(status)"
    }
  }
}

/// Takes such reports in, and raises the notice.
final class UnreadReports: Sendable {
  /// How long after the last report the notice holds, in milliseconds.
  private static let memory: Int64 = 600_000

  private let locations: Locations
  private let recorder: RequestRecorder
  private let notices: Notices
  /// When the last one came, by `Moment.steady`.
  private let last = Atomic<Int64>(.min / 2)

  init(locations: Locations, recorder: RequestRecorder, notices: Notices) {
    self.locations = locations
    self.recorder = recorder
    self.notices = notices
  }

  /// Takes a report in. Never waits.
  ///
  /// - Returns: where to look at the object as the web server does; empty when S3 as a whole fails.
  func take(_ report: UnreadReport, _ request: Request, at now: Moment) -> [(Location, size: Int64)]
  {
    let found = locations.all.compactMap { location in
      location.engine.size(
        ofUnread: report.digest, target: report.target, in: location.id, at: now
      ).map { (location, size: $0) }
    }
    let endpoint = (found.first?.0 ?? locations.standard).clientEndpoint
    recorder.unread(report, request, size: found.first?.size, endpoint: endpoint, at: now)
    last.store(now.steady, ordering: .relaxed)
    notices.raise(
      .unreadByFront,
      "The web server could not read from \(endpoint) where bloblo sent it: \(report.words). The registry answered. "
        + "Check the web server's address and authorities for S3 (nginx: bloblo-s3.conf; Apache: "
        + "BLOBLO_S3), and its network.")
    for (location, _) in found {
      if report.isRefusal {
        location.engine.forgetUnread(report.digest, in: location.id)
      } else {
        location.engine.rest(fromFront: report.words, at: now)
      }
    }
    return report.isRefusal ? found : []
  }

  /// Lowers the notice when no report has come for ten minutes.
  func tick(at now: Moment) {
    guard now.steady - last.load(ordering: .relaxed) > Self.memory else { return }
    notices.lower(.unreadByFront)
  }
}
