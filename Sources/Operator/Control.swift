package import FastCGI
package import Fill
internal import FoundationEssentials
package import Gateway
internal import Primitives
internal import Registry
internal import S3
internal import Settings

/// The answer of a running bloblo to `bloblo purge`.
package struct PurgeAnswer: Codable {
  package struct Place: Codable, Hashable {
    package let bucket: String
    package let endpoint: String
  }

  /// For how many seconds requests for the blob pass.
  package let heldSeconds: Int64
  /// Fills of this blob that still run, and may put it into the bucket.
  package let fills: Int
  /// The buckets of all locations.
  package let places: [Place]
}

/// Takes orders from this machine's own `bloblo` commands, over the same socket as requests.
///
/// The param `BLOBLO_CONTROL` makes a request an order. No shipped file sets it, and a client can't. A local user who
/// can connect to the socket can give an order; the worst effect is that a blob passes.
package struct Control: Route {
  static let path = "/bloblo/purge/"

  private let purges: Purges
  private let locations: Locations
  private let filler: Filler

  package init(purges: Purges, locations: Locations, filler: Filler) {
    self.purges = purges
    self.locations = locations
    self.filler = filler
  }

  /// - Returns: whether the request was an order, which bloblo has then answered.
  package func answer(_ request: Request) -> Bool {
    guard !request.isOfOwnProcess, request.parameter("BLOBLO_CONTROL") == Array("on".utf8),
      request.parameter("REQUEST_METHOD") == Array("POST".utf8),
      let target = request.parameter("REQUEST_URI").map({ String(decoding: $0, as: UTF8.self) }),
      target.hasPrefix(Self.path), let digest = Digest(String(target.dropFirst(Self.path.count)))
    else { return false }
    guard let life = purges.add(digest, at: .now()) else {
      request.refuse(503, "too many blobs were purged lately")
      return true
    }
    let places = locations.all.map {
      PurgeAnswer.Place(
        bucket: $0.settings.bucket.name, endpoint: "\($0.settings.bucket.endpoint)")
    }
    let answer = PurgeAnswer(
      heldSeconds: life.components.seconds,
      fills: filler.progress.count { $0.digest == digest }, places: Array(Set(places)))
    // Strings and numbers only: there is nothing that can't be encoded.
    let body = [UInt8]((try? JSONEncoder().encode(answer)) ?? Data())
    var head = ResponseHead(status: 200, capacity: 128)
    head.add("Content-Type", "application/json")
    head.add("Content-Length", String(body.count))
    head.add("X-Bloblo", "control")
    request.answer(head, body: body)
    return true
  }
}
