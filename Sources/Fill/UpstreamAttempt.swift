internal import HTTPTransport
internal import Registry

/// One connection of a reading.
///
/// libcurl reads much at once and hands it on by 16 KiB. The pieces are written to the spool together: when libcurl
/// calls its progress callback, and at the latest when there is as much as it reads at once.
final class UpstreamAttempt: HTTPReceiver {
  /// What is to be asked for.
  struct Plan: Sendable {
    /// From 0; the first asks for the whole blob, the others for the rest.
    let number: Int
    let request: HTTPRequest
    /// What the spool lacks begins here.
    let offset: Int64
    let validator: [UInt8]?
    let hosts: FollowedHosts
  }

  private static let pieceBytes = 128 << 10

  private let plan: Plan
  private let reading: UpstreamReading
  /// What has come and is not in the spool yet.
  private var piece: [UInt8] = []
  /// Where in the blob `piece` begins.
  private var position: Int64 = 0
  /// Why the answer is of no use.
  private var failure: FillError?
  private var isRefusal = false

  init(_ plan: Plan, _ reading: UpstreamReading) {
    self.plan = plan
    self.reading = reading
  }

  func run(by http: inout HTTPClient) {
    var error: FillError?
    let get = UpstreamGet(request: request, added: rangeFields, hosts: plan.hosts)
    do throws(FillError) {
      try get.run(by: &http, to: self)
    } catch let broken {
      error = broken
    }
    _ = advance()
    // What a broken body lacks is said by its length, where that is known.
    if position > 0, !reading.isMeasuring, case .upstream? = error { error = nil }
    reading.end(plan.number, failure ?? error, isRefusal: isRefusal)
  }

  private var request: HTTPRequest {
    var request = plan.request
    // As patient as the web server in front of a registry; see `ReadingPlan.silence`.
    request.limits.idle = max(request.limits.idle, ReadingPlan.silence)
    return request
  }

  private var rangeFields: [HTTPField] {
    guard plan.number > 0 else { return [] }
    var fields = [HTTPField("Range", "bytes=\(plan.offset)-")]
    if let validator = plan.validator { fields.append(HTTPField("If-Range", validator)) }
    return fields
  }

  func receive(head: HTTPResponseHead) -> Bool {
    switch reading.accept(head, plan) {
    case .success(let start):
      position = start
      return true
    case .failure(let error):
      failure = error
      isRefusal = head.status == 401
      return false
    }
  }

  func receive(body bytes: Span<UInt8>) -> Bool {
    unsafe bytes.withUnsafeBufferPointer { unsafe piece.append(contentsOf: $0) }
    return piece.count < Self.pieceBytes || advance()
  }

  /// libcurl asks after each of its readings, and about once a second while there are none.
  func isStillWanted() -> Bool { advance() && reading.isWanted(plan.number) }

  /// Writes what has come.
  private func advance() -> Bool {
    guard !piece.isEmpty else { return true }
    guard reading.write(piece, at: position, by: plan.number) else { return false }
    position += Int64(piece.count)
    piece.removeAll(keepingCapacity: true)
    return true
  }
}
