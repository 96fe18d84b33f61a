internal import Offload
internal import Registry

/// For `BLOBLO_PROOF_SCOPE=repository`: joins requests that one answer of the registry decides.
///
/// A client's first question about a repository tells whether the client reads it, so its other requests there wait
/// for the answer. The first question about a blob tells whether the repository has it, so clients that are known to
/// read the repository wait for that answer.
final class RepositoryCoalescer: Sendable {
  private struct Reader: Hashable, Sendable {
    let location: LocationID
    let fingerprint: ClientFingerprint
    let name: RepositoryName

    init(_ query: AccessQuery) {
      (location, fingerprint, name) = (query.location, query.fingerprint, query.path.name)
    }
  }

  private struct Content: Hashable, Sendable {
    let location: LocationID
    let path: BlobPath

    init(_ query: AccessQuery) { (location, path) = (query.location, query.path) }
  }

  /// The questions that an exchange asks for others too, and must `complete`.
  struct Led: OptionSet, Sendable {
    let rawValue: UInt8
    static let reader = Led(rawValue: 1)
    static let content = Led(rawValue: 2)
  }

  private let readers = RequestCoalescer<Reader, BlobExchange>()
  private let contents = RequestCoalescer<Content, BlobExchange>()

  /// - Parameter isReader: whether the client is known to read the repository.
  /// - Returns: `nil` when the exchange waits for another answer; else the questions that it has to ask.
  func join(_ exchange: BlobExchange, isReader: Bool) -> Led? {
    let query = exchange.blob.query
    guard isReader else {
      if readers.join(exchange, Reader(query)) { return nil }
      return contents.begin(Content(query)) ? [.reader, .content] : .reader
    }
    return contents.join(exchange, Content(query)) ? nil : .content
  }

  /// - Parameter led: what `join` gave to the exchange that has asked.
  /// - Returns: the exchanges that have waited for its answer.
  func complete(_ led: Led, of query: AccessQuery) -> [BlobExchange] {
    (led.contains(.reader) ? readers.complete(Reader(query)) : [])
      + (led.contains(.content) ? contents.complete(Content(query)) : [])
  }
}
