package import Gateway
internal import HTTPTransport
internal import Offload
internal import Primitives
internal import Registry
internal import S3
internal import Settings
internal import Store
package import Telemetry

/// Looks at roads as clients do: by a GET of one byte of an object that clients were just sent to, through the
/// URL that they got, on a new connection, with its certificate checked.
package final class RoadLooks: Sendable {
  /// How long a road may take to be called well.
  private static let patience = Duration.seconds(3)
  /// Objects that are asked for in one look, at most.
  private static let stopLimit = 3

  private let locations: Locations
  private let tell: @Sendable (Verdict) -> Void

  /// - Parameter tell: hears after each look how the roads are.
  package init(_ locations: Locations, tell: @escaping @Sendable (Verdict) -> Void) {
    self.locations = locations
    self.tell = tell
  }

  /// Looks at all roads that are due.
  package func look() {
    let all = locations.all
    var seen: Set<ObjectIdentifier> = []
    for location in all {
      guard let road = location.road, seen.insert(ObjectIdentifier(road)).inserted,
        let stops = road.beginLook(at: Moment.now().steady)
      else { continue }
      for stop in road.endLook(met(stops, location)) { examine(stop) }
    }
    tell(verdict(all))
  }

  private func met(
    _ stops: [ClientRoad.Stop], _ location: Location
  ) -> [(stop: ClientRoad.Stop?, outcome: ClientRoad.Outcome)] {
    // Nobody was sent there yet: that a blob is absent tells of the way, too.
    guard !stops.isEmpty else {
      return get(.ofNothing, size: nil, location).map { [(nil, $0)] } ?? []
    }
    var met: [(stop: ClientRoad.Stop?, outcome: ClientRoad.Outcome)] = []
    for stop in stops.prefix(Self.stopLimit) {
      guard let outcome = get(stop.key.digest, size: stop.size, location) else { return [] }
      met.append((stop, outcome))
      guard ClientRoad.needsAnother(outcome) else { break }
    }
    return met
  }

  /// - Returns: `nil` when there is no URL, and so none for clients either: that is told elsewhere.
  private func get(_ digest: Digest, size: Int64?, _ location: Location) -> ClientRoad.Outcome? {
    let url: SignedURL
    do {
      url = try location.store.presign(digest, now: .now())
    } catch {
      return nil
    }
    var limits = location.settings.s3Limits.within(Self.patience)
    limits.stall = Self.patience
    let request = HTTPRequest(
      .get, String(decoding: url.bytes, as: UTF8.self), fields: [HTTPField("Range", "bytes=0-0")],
      limits: limits)
    let receiver = FirstByte()
    // Its connections end with it: the next look makes a new one.
    var http = HTTPClient()
    do {
      try http.stream(request, to: receiver)
    } catch {
      guard error.kind == .stopped else { return .unreachable(error.message) }
    }
    guard let head = receiver.head else { return .unreachable("no response") }
    return ClientRoad.Outcome(head, receiver.body, size: size)
  }

  /// What clients can't read is looked at by a HEAD; if that calls it well, clients are not sent there.
  private func examine(_ stop: ClientRoad.Stop) {
    guard let location = locations.location(stop.key.location) else { return }
    var http = HTTPClient()
    location.engine.markUnreadable(stop.key, by: &http, at: .now())
  }

  private func verdict(_ all: [Location]) -> Verdict {
    var states: [ClientRoad.State] = []
    for location in all {
      guard let road = location.road else { continue }
      if case .bad(let words) = road.state { return .bad(location.badRoad(words, road.hasWorked)) }
      states.append(road.state)
    }
    if states.isEmpty {
      return .good("Not looked at: BLOBLO_LOOK_AS_CLIENT=off, or BLOBLO_DELIVERY=pass.")
    }
    if states.contains(.unknown) { return .unknown }
    return .good("\(locations.standard.clientEndpoint) answers as clients ask.")
  }
}

extension Location {
  /// By which name clients, or the web server for them, read the bucket.
  var clientEndpoint: String {
    let bucket = store.bucket.bucket
    if settings.policy.delivery == .accelerate { return "\(bucket.endpoint)" }
    return store.cloudFront.map { "\($0.endpoint)" } ?? "\(bucket.publicEndpoint)"
  }

  fileprivate func badRoad(_ words: String, _ hasWorked: Bool) -> String {
    let advice =
      hasWorked
      ? "Look at \(clientEndpoint) and its certificate, and at the key that signs."
      : "Check BLOBLO_S3_PUBLIC_ENDPOINT_URL and the key that signs. If clients can reach it and this host can't, set BLOBLO_LOOK_AS_CLIENT=off."
    return
      "Clients can't read from \(clientEndpoint): \(words). Blobs pass to the registry. \(advice)"
  }
}

/// Takes the head, and of the body a byte, or as much as an error's document has.
private final class FirstByte: HTTPReceiver {
  private(set) var head: HTTPResponseHead?
  private(set) var body: [UInt8] = []

  func receive(head: HTTPResponseHead) -> Bool {
    self.head = head
    return true
  }

  func receive(body bytes: Span<UInt8>) -> Bool {
    guard let head, head.status >= 300 else {
      // One byte is the whole answer; of more no more is wanted.
      return head?.status == 206
    }
    for i in bytes.indices { body.append(bytes[i]) }
    return body.count <= 64 << 10
  }
}

extension ClientRoad.Outcome {
  /// - Parameters:
  ///   - body: of an error.
  ///   - size: the object's; `nil` for one that is not there.
  init(_ head: HTTPResponseHead, _ body: [UInt8], size: Int64?) {
    let refusal = S3Refusal(status: head.status, body: body)
    switch head.status {
    case 200, 206: self = Self.isWhole(head, size) ? .good : .objectGone
    case 416: self = size == 0 ? .good : .objectGone
    case 300..<400 where head.fields.first(named: "location") != nil: self = .good
    case 403 where refusal.code == "InvalidObjectState": self = .objectGone
    // What is not there is a 403 to those who may not list the bucket.
    case 403 where size == nil && !refusal.isOfSignature: self = .objectGone
    case 404 where refusal.code != "NoSuchBucket": self = .objectGone
    default: self = .bad("\(refusal)", isOfKey: refusal.isOfSignature)
    }
  }

  private static func isWhole(_ head: HTTPResponseHead, _ size: Int64?) -> Bool {
    guard let size else { return true }
    guard head.status == 206 else { return head.contentLength == nil || head.contentLength == size }
    // "bytes 0-0/1234", RFC 9110 §14.4.
    guard let range = head.fields.first(named: "content-range")?.value,
      let slash = range.lastIndex(of: UInt8(ascii: "/")),
      let total = Int64(decimal: range[(slash + 1)...])
    else { return true }
    return total == size
  }
}

extension S3Refusal {
  /// Whether it is about what signed the URL, and so about every URL.
  fileprivate var isOfSignature: Bool {
    isOfCredential
      || ["SignatureDoesNotMatch", "RequestTimeTooSkewed", "AuthorizationQueryParametersError"]
        .contains(code)
  }
}
