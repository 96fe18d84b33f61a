package import HTTPTransport
package import Primitives
internal import Registry

/// Decides what becomes of a request, by asking upstream and the bucket.
///
/// The order is the README's: parse (done: there is a `BlobRequest`), proof, HEAD, presence, redirect or
/// fill. Doubt, at any step, is a pass.
package struct OffloadEngine: Sendable {
  package struct Policy: Sendable {
    package var delivery: Delivery
    /// Smaller blobs pass, in bytes.
    package var minimumBlobSize: Int64

    package init(delivery: Delivery = .redirect, minimumBlobSize: Int64 = 0) {
      self.delivery = delivery
      self.minimumBlobSize = minimumBlobSize
    }
  }

  private let upstream: any ProofSource
  private let store: any BlobStore
  private let policy: Policy

  package init(upstream: any ProofSource, store: any BlobStore, policy: Policy = Policy()) {
    self.upstream = upstream
    self.store = store
    self.policy = policy
  }

  /// What can be decided without asking anyone; `nil` when someone must be asked.
  package func decideAtOnce(_ request: BlobRequest) -> Decision? {
    if policy.delivery == .pass { return .pass(.delivery) }
    if request.isConditional { return .pass(.conditional) }
    switch (request.method, request.range) {
    case (_, .other), (.head, .single): return .pass(.range)
    case (.get, .whole), (.get, .single), (.head, .whole): return nil
    }
  }

  /// Decides, waiting for upstream and the bucket.
  package func decide(_ request: BlobRequest, by http: inout HTTPClient, now: UnixTime) -> Decision
  {
    if let decision = decideAtOnce(request) { return decision }
    let proof: BlobProof
    do {
      proof = try upstream.prove(request.path, for: request.client, by: &http)
    } catch {
      return .pass(.unproven(error))
    }
    if request.method == .head {
      guard let size = proof.size else { return .pass(.unknownSize) }
      return .answer(proof, size: size)
    }
    if let size = proof.size, size < policy.minimumBlobSize { return .pass(.smallBlob) }
    do {
      return try deliver(request, proof, by: &http, now: now)
    } catch {
      return .pass(.store(error.description))
    }
  }

  private func deliver(
    _ request: BlobRequest, _ proof: BlobProof, by http: inout HTTPClient, now: UnixTime
  ) throws(BlobStoreError) -> Decision {
    let stored = try store.size(of: request.path.digest, by: &http, now: now)
    if let stored, proof.size == nil || proof.size == stored {
      guard policy.delivery == .accelerate else {
        return .redirect(location: try store.presign(request.path.digest, for: .client, now: now))
      }
      if request.range == .single, let validator = request.ifRange, !proof.isOf(validator) {
        return .pass(.otherValidator)
      }
      return .accelerate(
        proof, url: try store.presign(request.path.digest, for: .webServer, now: now))
    }
    guard let size = proof.size else { return .pass(.unknownSize) }
    return .fill(proof, size: size, replacing: stored.map(WrongObject.init(size:)))
  }
}

/// How a blob that is in the bucket gets to the client.
package enum Delivery: String, Sendable, CaseIterable {
  case redirect
  case accelerate
  case pass
}

extension BlobProof {
  /// Whether the registry gave this validator for the blob. The web server then reads the range from the
  /// bucket without it: S3 has another validator for the same bytes.
  fileprivate func isOf(_ validator: [UInt8]) -> Bool {
    fields.contains { field in
      ["etag", "last-modified"].contains(field.name.lowercased()) && field.value == validator
    }
  }
}
