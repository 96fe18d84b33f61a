import FastCGI
import Offload

/// One request for a blob on its way through: what was asked, where, and whom to answer.
struct BlobExchange: Sendable {
  let request: Request
  let blob: BlobRequest
  let location: Location
}
