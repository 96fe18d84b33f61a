internal import HTTPTransport
internal import Registry

/// A GET of a blob, over the redirects of the registry that may be followed.
///
/// The registry gets all fields of the client; hosts that it redirects to get none. A redirect's query may be a
/// signature, so no error repeats it.
struct UpstreamGet {
  private static let hopLimit = 3

  /// With the client's fields.
  let request: HTTPRequest
  /// Fields that each server gets.
  let added: [HTTPField]
  let hosts: FollowedHosts

  /// - Throws: `.upstream` when the transfer failed or the receiver stopped it; `.notFollowed`.
  func run(by http: inout HTTPClient, to receiver: any HTTPReceiver) throws(FillError) {
    var request = request
    request.fields += added
    for hop in 0... {
      let filter = RedirectFilter(receiver, isRedirected: hop > 0)
      do throws(TransportError) {
        try http.stream(request, to: filter)
      } catch {
        guard filter.location != nil else { throw .upstream(error.message) }
      }
      guard let location = filter.location else { return }
      guard hop < Self.hopLimit else {
        throw .upstream("redirects more than \(Self.hopLimit) times")
      }
      do throws(FollowedHosts.Refusal) {
        let url = try hosts.target(of: location, from: request.url)
        request = HTTPRequest(.get, url, fields: added, limits: request.limits)
      } catch {
        throw .notFollowed(error)
      }
    }
  }
}

/// Keeps a redirect from the receiver, and lets all else through.
private final class RedirectFilter: HTTPReceiver {
  private let receiver: any HTTPReceiver
  private let isRedirected: Bool
  private(set) var location: [UInt8]?

  init(_ receiver: any HTTPReceiver, isRedirected: Bool) {
    self.receiver = receiver
    self.isRedirected = isRedirected
  }

  func receive(head: HTTPResponseHead) -> Bool {
    if [301, 302, 303, 307, 308].contains(head.status),
      let location = head.fields.first(named: "location")
    {
      self.location = location.value
      // Its body says nothing.
      return false
    }
    guard isRedirected else { return receiver.receive(head: head) }
    // What a storage says of its object is not what the registry says of the blob.
    let kept = [
      "content-length", "content-range", "content-encoding", "content-type", "etag",
    ]
    return receiver.receive(
      head: HTTPResponseHead(
        status: head.status,
        fields: head.fields.filter { kept.contains($0.name.lowercased()) }))
  }

  func receive(body: Span<UInt8>) -> Bool { receiver.receive(body: body) }

  func isStillWanted() -> Bool { receiver.isStillWanted() }
}

/// Learns a blob's size from the answer to a GET of its first byte.
final class SizeReceiver: HTTPReceiver {
  private(set) var size: Int64?

  func receive(head: HTTPResponseHead) -> Bool {
    size = UpstreamAnswer(head).statedSize
    return head.status == 206
  }

  func receive(body: Span<UInt8>) -> Bool { body.count <= 1 }
}
