package import FastCGI
internal import Primitives
internal import Synchronization
package import Telemetry

/// Watches for web servers that use older copies of the shipped files.
///
/// Each shipped location sets `fastcgi_param BLOBLO_FRONT_FILES 3;`. People copy these files, and an old copy keeps
/// holes that a newer one has closed. So a lower number, or none, raises a notice.
package final class FrontFiles: Sendable {
  /// The version of the files in `nginx/` and `apache/`.
  package static let current = 3
  /// How long after the last such request the notice holds, in milliseconds.
  private static let memory: Int64 = 600_000

  /// Requests that older files have sent.
  package let oldRequests = Counter()
  private let notices: Notices
  /// When the last one came, by `Moment.steady`.
  private let lastOld = Atomic<Int64>(.min)
  private let isRaised = Atomic(false)

  init(_ notices: Notices) { self.notices = notices }

  /// The version that a request's param names; 0 without one.
  package static func version(of request: Request) -> Int {
    request.withParameter("BLOBLO_FRONT_FILES") { value in
      guard (1...4).contains(value.count) else { return 0 }
      var version = 0
      for i in value.indices {
        guard (0x30...0x39).contains(value[i]) else { return 0 }
        version = version * 10 + Int(value[i] - 0x30)
      }
      return version
    } ?? 0
  }

  /// The web server that sent a request; `nil` if bloblo ships no files for it.
  static func software(of request: Request) -> String? {
    guard !request.isOfOwnProcess, request.role == .responder, !request.isForAuthorizer,
      let software = request.parameter("SERVER_SOFTWARE")
    else { return nil }
    let isShippedFor = software.starts(with: "nginx".utf8) || software.starts(with: "Apache".utf8)
    return isShippedFor ? String(decoding: software.prefix(64), as: UTF8.self) : nil
  }

  /// Looks at a request's version.
  func look(at request: Request) {
    let version = Self.version(of: request)
    guard version < Self.current, let software = Self.software(of: request) else { return }
    oldRequests.add()
    lastOld.store(Moment.now().steady, ordering: .relaxed)
    guard !isRaised.exchange(true, ordering: .relaxed) else { return }
    let found = version == 0 ? "no BLOBLO_FRONT_FILES" : "BLOBLO_FRONT_FILES=\(version)"
    notices.raise(
      .oldFrontFiles,
      "\(software) sends \(found); this bloblo comes with version \(Self.current) of its web-server files. "
        + "Older copies let requests past the web server's own refusals: replace them as CHANGELOG.md says."
    )
  }

  /// Lowers the notice when no such request has come for ten minutes.
  func tick(at now: Moment) {
    guard isRaised.load(ordering: .relaxed),
      now.steady - lastOld.load(ordering: .relaxed) > Self.memory
    else { return }
    isRaised.store(false, ordering: .relaxed)
    notices.lower(.oldFrontFiles)
  }
}
