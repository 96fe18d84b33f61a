package import Registry

/// What upstream and the bucket answered about a blob. Requests that ask for the same at the same time share it.
package struct LookupResult: Sendable {
  package enum Answer: Sendable {
    case proven(BlobProof)
    case unproven(Unproven)
  }

  package enum Store: Sendable {
    /// Not asked: a HEAD needs only the proof.
    case unasked
    case presence(Presence)
    case failed(String)
    /// It answered 403: whether it has the blob is unknown.
    case denied(String)
  }

  /// Where the answer is from.
  enum Source {
    /// A question of the one time, answered at the other, as `Moment.steady`.
    case question(Int64, answered: Int64)
    case memory(isStale: Bool)
  }

  let answer: Answer
  let source: Source
  var store = Store.unasked
  package var trace: LookupTrace

  init(_ answer: Result<BlobProof, Unproven>, from source: Source, _ trace: LookupTrace) {
    self.trace = trace
    self.source = source
    switch answer {
    case .success(let proof):
      self.answer = .proven(proof)
      self.trace.size = proof.size
    case .failure(let error): self.answer = .unproven(error)
    }
  }

  /// What allows the read: upstream's answer, or a remembered one.
  package var proof: BlobProof? { if case .proven(let proof) = answer { proof } else { nil } }

  package var isProven: Bool { proof != nil }

  /// Adds what a look into the bucket has found.
  package func completed(by look: Look) -> LookupResult {
    var whole = self
    whole.store = look.store
    whole.trace.storeTime = look.time
    return whole
  }
}

/// What the bucket answered about a blob. Requests that need it at the same time share it.
package struct Look: Sendable {
  package let store: LookupResult.Store
  /// How long it took.
  package let time: Duration

  /// The object, if it exists and nothing is wrong with it.
  package var readable: StoredBlob? {
    guard case .presence(.present(let blob, _)) = store, blob.defect == nil else { return nil }
    return blob
  }
}

/// How the answers were found, for the log and the metrics, never for a decision.
package struct LookupTrace: Sendable {
  /// The status of upstream's answer; `nil` when it was not asked, or did not answer.
  package var upstreamStatus: Int?
  /// How long upstream took; `nil` when it was not asked.
  package var upstreamTime: Duration?
  /// How long S3 took to say whether the object is there; `nil` when it was not asked.
  package var storeTime: Duration?
  /// Whether a presence was needed, and remembered.
  package var isPresenceRemembered = false
  /// The blob's size in bytes, when it is known.
  package var size: Int64?

  package init() {}
}
