package import HTTPTransport

/// Upstream's word that this client may read this blob, and what it said of the blob.
package struct BlobProof: Sendable {
  /// 1 PiB, beyond what any registry or bucket keeps as one: a larger number is a mistake, and not to be
  /// added up.
  package static let largestSize: Int64 = 1 << 50

  /// The blob's size in bytes, at most `largestSize`; `nil` when upstream did not give it, as in a
  /// redirect.
  package let size: Int64?
  /// Where a redirect leads that proves, without its query.
  package let target: [UInt8]?
  /// What a HEAD answer repeats of upstream's own, so that the client sees no difference.
  package let fields: [HTTPField]
  /// The status by which upstream said so.
  package let status: Int

  package init(
    size: Int64?, target: [UInt8]? = nil, fields: [HTTPField] = [], status: Int = 200
  ) {
    self.size = size
    self.target = target
    self.fields = fields
    self.status = status
  }

  /// The same, with a size that was learnt elsewhere.
  package func with(size: Int64) -> BlobProof {
    BlobProof(size: size, target: target, fields: fields, status: status)
  }
}

/// Why there is no proof. Not a refusal that the client sees: it is passed on, and the registry answers.
package enum Unproven: Error, Sendable, Equatable {
  /// Upstream answered with this status.
  case status(Int)
  /// 401 to a credential, and the challenge is for the name by which bloblo asks and this client does not: the
  /// registry binds credentials to the name that it is asked by.
  case otherName
  /// A page for people, which a login may give with a 200.
  case page
  /// A redirect to where this blob need not be: a login, another spelling of the registry's own URL.
  case redirectElsewhere
  /// `Docker-Content-Digest` names another blob.
  case otherDigest
  /// No connection: nothing was asked.
  case unconnected(String)
  /// No answer.
  case unreachable(String)
  /// Upstream was not asked: a bound of our own was reached, or nobody waits any more.
  case unasked(String)
}

extension Unproven {
  /// The status of upstream's answer, where that is what says no.
  package var status: Int? {
    switch self {
    case .status(let status): status
    case .otherName: 401
    case .page, .redirectElsewhere, .otherDigest, .unconnected, .unreachable, .unasked: nil
    }
  }
}
