/// How something that bloblo needs is, in a sentence that says what to do if it is not well.
package struct Verdict: Sendable, Equatable {
  package enum State: Sendable {
    case good, bad
    /// Not looked at yet.
    case unknown
    /// Not looked at: a setting says so.
    case unwatched
  }

  package let state: State
  package let sentence: String

  package static func good(_ sentence: String) -> Verdict {
    Verdict(state: .good, sentence: sentence)
  }
  package static func bad(_ sentence: String) -> Verdict {
    Verdict(state: .bad, sentence: sentence)
  }
  package static func unwatched(_ sentence: String) -> Verdict {
    Verdict(state: .unwatched, sentence: sentence)
  }
  /// Whether nothing is known against it.
  package var isUsable: Bool { state == .good || state == .unwatched }
  package static let unknown = Verdict(state: .unknown, sentence: "Not looked at yet.")
}

/// What bloblo needs, in the order in which a request needs it.
package enum Need: Int, Sendable, CaseIterable {
  case upstream, bucket, road, writing, credential, spool

  /// What people call it.
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

  /// Whether nothing can be offloaded without it. Without upstream a proof may still hold, and without a
  /// spool or the right to write the bucket is still read.
  var isForReadiness: Bool { [.bucket, .road, .credential].contains(self) }
}
