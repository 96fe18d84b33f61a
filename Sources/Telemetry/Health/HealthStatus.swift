/// The result of a health check, with a sentence that says what to do when it failed.
package struct HealthStatus: Sendable, Equatable {
  package enum State: Sendable {
    case good, bad
    /// Not checked yet.
    case unknown
    /// Not checked, since a setting says so.
    case unwatched
  }

  package let state: State
  package let sentence: String

  package static func good(_ sentence: String) -> HealthStatus {
    HealthStatus(state: .good, sentence: sentence)
  }
  package static func bad(_ sentence: String) -> HealthStatus {
    HealthStatus(state: .bad, sentence: sentence)
  }
  package static func unwatched(_ sentence: String) -> HealthStatus {
    HealthStatus(state: .unwatched, sentence: sentence)
  }
  /// Whether no check has failed.
  package var isUsable: Bool { state == .good || state == .unwatched }
  package static let unknown = HealthStatus(state: .unknown, sentence: "Not checked yet.")
}

/// The dependencies of bloblo, in the order in which a request needs them.
package enum Dependency: Int, Sendable, CaseIterable {
  case upstream, bucket, road, writing, credential, spool

  /// Its name on the page.
  package var name: String {
    switch self {
    case .upstream: "Registry"
    case .bucket: "S3 bucket"
    case .road: "Clients' road to S3"
    case .writing: "Writing to S3"
    case .credential: "S3 credential"
    case .spool: "Spool folder"
    }
  }

  package var word: String { "\(self)" }

  /// Whether nothing can be offloaded without it. Without the registry a proof may still hold; without a spool or the
  /// right to write, bloblo still reads the bucket.
  var isForReadiness: Bool { [.bucket, .road, .credential].contains(self) }
}
