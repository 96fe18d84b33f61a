package import Primitives
package import Registry

/// A DELETE of a blob that bloblo relays, and what its answer means for remembered proofs.
package struct BlobDeletion: Sendable {
  /// The outcome of the request.
  package enum Outcome: Equatable, Sendable {
    /// The registry answered with this status.
    case answered(Int)
    /// The registry did not get it.
    case unsent
    /// The registry may have got it, from us or from the web server after us, and its answer is not known.
    case unknown
  }

  let target: DeletionTarget

  package init(_ target: DeletionTarget) { self.target = target }

  /// Forgets what the registry has deleted, or may have. Called before the client learns the answer.
  ///
  /// A refusal changes nothing; otherwise anyone could make bloblo forget.
  ///
  /// - Parameters:
  ///   - locations: all that ask this registry.
  ///   - now: when the answer came.
  package func end(
    _ outcome: Outcome, in locations: [LocationID], _ cache: DecisionCache, at now: Moment
  ) {
    switch outcome {
    case .answered(200..<300), .unknown: break
    case .answered, .unsent: return
    }
    switch target {
    case .blob(let path): cache.noteDeletion(of: path, in: locations, at: now)
    case .someBlob: cache.noteDeletion(of: nil, in: locations, at: now)
    }
  }
}
