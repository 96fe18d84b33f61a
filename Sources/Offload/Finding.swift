package import Registry

/// What upstream and the bucket said to a question. Those who asked the same at the same time share it.
package struct Finding: Sendable {
  package enum Answer: Sendable {
    case proven(BlobProof)
    case unproven(Unproven)
  }

  enum Store: Sendable {
    /// Not asked: a HEAD needs only the proof.
    case unasked
    case presence(Presence)
    case failed(String)
  }

  let answer: Answer
  let store: Store
}
