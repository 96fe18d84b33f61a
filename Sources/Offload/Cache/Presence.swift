package import Primitives

/// Whether the bucket has a blob.
package enum Presence: Sendable {
  case absent
  /// With a URL for it, when one has been signed.
  case present(StoredBlob, SignedURL?)
}

/// An object, as the bucket describes it.
package struct StoredBlob: Sendable, Equatable {
  /// Why clients can't have the blob from this object.
  package enum Defect: Sendable, Equatable {
    /// In an archive: a GET is refused until it is restored.
    case archived
    /// S3's checksum or bloblo's metadata names another blob.
    case otherContent
    /// Clients' own GET of it was refused.
    case unreadable
  }

  /// In bytes.
  package let size: Int64
  /// When it can no longer be read, by the bucket's rules, if it says so.
  package let expiration: UnixTime?
  package let defect: Defect?
  /// Whether S3's checksum or bloblo's metadata names this blob.
  package let isProven: Bool

  package init(
    size: Int64, expiration: UnixTime? = nil, defect: Defect? = nil, isProven: Bool = false
  ) {
    self.size = size
    self.expiration = expiration
    self.defect = defect
    self.isProven = isProven
  }
}

/// A presigned URL, and how long bloblo may give it out: a part of its life, so that the last client still has time
/// to use it.
package struct SignedURL: Sendable {
  /// Absolute, ASCII.
  package let bytes: [UInt8]
  /// `Moment.steady`: a calendar that is set must not lengthen it.
  package let reusableUntil: Int64
  /// Seconds by which the calendar was corrected for the signature. With another correction the URL is
  /// dated wrongly.
  package let correction: Int64
  /// The store's `signingGeneration` before the signature. With another one the URL may be signed by a key that is
  /// revoked.
  package let generation: Int

  package init(
    bytes: [UInt8], reusableUntil: Int64, correction: Int64 = 0, generation: Int = 0
  ) {
    self.bytes = bytes
    self.reusableUntil = reusableUntil
    self.correction = correction
    self.generation = generation
  }

  func isReusable(at now: Moment, correction: Int64, generation: Int) -> Bool {
    now.steady < reusableUntil && correction == self.correction && generation == self.generation
  }
}

/// What is remembered about a blob's object: the result of the last look.
struct SeenObject: Sendable {
  var presence: Presence
  /// When that look began, `Moment.steady`.
  let lookedAt: Int64
  /// When the last look began that was made for a client that came back, `Moment.steady`.
  var returnLookedAt: Int64 = .min / 2
  /// Whether a client was sent there since.
  var isDelivered = false
  /// By how far looks are ahead of one a second, as the time by which they are made up for.
  var earlyEnd: Int64 = .min / 2

  /// What a look costs: one a second of each object is enough.
  private static let pause: Int64 = 1000

  /// Whether a look of that time says nothing of now, for a client that comes back.
  static func isOld(_ lookedAt: Int64, at now: Moment) -> Bool { now.steady - lookedAt >= pause }

  /// Whether there may be another look before this one is old: one, and then one a second for long.
  func mayBeLookedAtEarly(at now: Moment) -> Bool { now.steady >= earlyEnd - Self.pause }

  /// - Parameter start: when another look began.
  func earlyEnd(after start: Int64) -> Int64 { max(earlyEnd, start) + Self.pause }
}
