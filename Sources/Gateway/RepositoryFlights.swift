internal import Offload
internal import Registry

/// For `BLOBLO_PROOF_SCOPE=repository`: what one question to upstream will tell others too.
///
/// An asker's first question for a repository tells whether the asker reads it; so the asker's other requests
/// there wait for it. The first who asks for a blob learns that the repository has it; so those who are
/// known to read the repository wait for that.
final class RepositoryFlights: Sendable {
  private struct Reader: Hashable, Sendable {
    let location: LocationID
    let asker: Asker
    let name: RepositoryName

    init(_ question: Question) {
      (location, asker, name) = (question.location, question.asker, question.path.name)
    }
  }

  private struct Content: Hashable, Sendable {
    let location: LocationID
    let path: BlobPath

    init(_ question: Question) { (location, path) = (question.location, question.path) }
  }

  /// Which flights an exchange has begun, and must land.
  struct Led: OptionSet, Sendable {
    let rawValue: UInt8
    static let reader = Led(rawValue: 1)
    static let content = Led(rawValue: 2)
  }

  private let readers = Flights<Reader, BlobExchange>()
  private let contents = Flights<Content, BlobExchange>()

  /// - Parameter isReader: whether the asker is known to read the repository.
  /// - Returns: `nil` when the exchange waits for another one's answer; else what it has begun.
  func join(_ exchange: BlobExchange, isReader: Bool) -> Led? {
    let question = exchange.blob.question
    guard isReader else {
      if readers.join(exchange, Reader(question)) { return nil }
      return contents.begin(Content(question)) ? [.reader, .content] : .reader
    }
    return contents.join(exchange, Content(question)) ? nil : .content
  }

  /// - Returns: those who have waited for the exchange's answer.
  func land(_ exchange: BlobExchange) -> [BlobExchange] {
    let question = exchange.blob.question
    return (exchange.led.contains(.reader) ? readers.land(Reader(question)) : [])
      + (exchange.led.contains(.content) ? contents.land(Content(question)) : [])
  }
}
