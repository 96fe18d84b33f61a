internal import Offload
internal import Primitives

extension BlobHandler {
  /// Lets a client read along with the fill of its blob, if one runs: that needs nothing of the bucket, and spares the
  /// registry a second reading.
  ///
  /// - Parameter reason: why the client would get the registry's answer.
  /// - Returns: whether it goes on here.
  func joinFill(_ exchange: BlobExchange, despite reason: PassReason) -> Bool {
    guard reason.isOfBucket, tee.isFilling(exchange) else { return false }
    guard let lookup = exchange.lookup else {
      // Upstream was not asked, since a client without the bucket passes. Its proof is needed now.
      goOn(exchange, by: exchange.location.engine.recall(exchange.blob, at: .now()))
      return true
    }
    return lookup.proof.map { tee.join(exchange, $0) } ?? false
  }
}
