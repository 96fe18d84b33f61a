/// How long one fill leaves the machine to clients that read along, with this fill or another.
///
/// It has an end. Otherwise one slow client would keep a blob out of the bucket.
struct Courtesy: Sendable {
  static let limit = Duration.seconds(10)

  private let clients: ReadersAlong?
  private let end: ContinuousClock.Instant

  /// - Parameter clients: `nil` for a fill that nobody waits for.
  init(to clients: ReadersAlong?, for limit: Duration = Courtesy.limit) {
    self.clients = clients
    end = .now + limit
  }

  /// Whether hashing and upload wait.
  var isDue: Bool { clients?.comeFirst == true && ContinuousClock.now < end }

  /// Whether any client reads along now.
  var hasClients: Bool { clients?.isEmpty == false }
}
