internal import Registry
internal import Synchronization

/// The sizes of blobs that a registry does not state in its answer to HEAD, learnt from its storage.
final class SizeCache: Sendable {
  private static let limit = 100_000

  private let sizes = Mutex<[Digest: Int64]>([:])

  func learn(_ size: Int64, of digest: Digest) {
    sizes.withLock { sizes in
      if sizes.count >= Self.limit { sizes.removeAll() }
      sizes[digest] = size
    }
  }

  /// The proof with the size that is known; not for a HEAD, which is answered by what the registry says.
  func complete(_ proof: BlobProof, for request: BlobRequest) -> BlobProof {
    guard proof.size == nil, request.method == .get,
      let size = sizes.withLock({ $0[request.path.digest] })
    else { return proof }
    return proof.with(size: size)
  }
}
