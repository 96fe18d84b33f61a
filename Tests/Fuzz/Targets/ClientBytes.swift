import Offload
import Primitives

@testable import FastCGI
@testable import Registry

func readBlobPath(_ bytes: [UInt8]) throws(BrokenPromise) {
  let sent = Array(bytes.prefix { $0 != UInt8(ascii: "?") })
  let path = BlobPath(requestTarget: bytes.span)
  // The grammar once more, in the specification's own words.
  let alphanumerics = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*"
  let grammar = try? Regex(
    "/v2/(\(alphanumerics)(?:/\(alphanumerics))*)/blobs/(?:sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})",
    as: (Substring, Substring).self)
  guard let grammar, sent.count <= 600, sent.allSatisfy({ $0 < 0x80 }) else {
    return try hold(path == nil || sent.count <= 600, "a path is plain and bounded")
  }
  let match = String(decoding: sent, as: UTF8.self).wholeMatch(of: grammar)
  let isInGrammar = match.map { $0.output.1.utf8.count <= 255 } ?? false
  try hold((path != nil) == isInGrammar, "a path is what the specification's grammar says")
  if let path { try hold(path.bytes == sent, "a path is asked for as it was sent") }
}

func readRange(_ bytes: [UInt8]) throws(BrokenPromise) {
  guard case .single = BlobRequest.Range(field: bytes.span) else { return }
  let text = String(decoding: bytes, as: UTF8.self).lowercased()
  let halves = text.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
  try hold(
    text.hasPrefix("bytes=") && halves.count == 2
      && halves.allSatisfy { half in half.utf8.allSatisfy { (0x30...0x39).contains($0) } },
    "a single range is two numbers")
  let (first, last) = (Int64(halves[0]), Int64(halves[1]))
  try hold(first != nil || last != nil, "a single range has a number")
  if let first, let last { try hold(first <= last, "a range does not run backwards") }
}

func readBearer(_ bytes: [UInt8]) throws(BrokenPromise) {
  guard let end = BearerToken(authorization: bytes)?.expiration else { return }
  try hold(abs(end.seconds) < .max / 2, "time can be added to the end of a token")
}

/// A FastCGI connection: what its bytes say does not depend on the pieces they come in.
func readRecords(_ bytes: [UInt8]) throws(BrokenPromise) {
  let whole = events(bytes, piece: max(1, bytes.count))
  try hold(events(bytes, piece: 1) == whole, "pieces of one byte say the same")
  try hold(events(bytes, piece: 13) == whole, "pieces of 13 bytes say the same")
}

private func events(_ bytes: [UInt8], piece: Int) -> [String] {
  var reader = RecordReader()
  var events: [String] = []
  for start in stride(from: 0, to: bytes.count, by: piece) {
    let part = bytes[start..<min(bytes.count, start + piece)]
    var at = 0
    while let event = reader.next(part.span, &at) {
      switch consume event {
      // How much of a body comes at a time is the pieces' own.
      case .body: continue
      case .request(let start, let params):
        let names: [StaticString] = ["REQUEST_URI", "HTTP_AUTHORIZATION", "HTTP_RANGE"]
        var lengths: [Int] = []
        for name in names { lengths.append(params.value(of: name)?.count ?? -1) }
        unsafe params.forEach(prefix: UnsafeBufferPointer(start: nil, count: 0)) { _, _ in }
        events.append("request \(start) \(lengths)")
      case .values: events.append("values")
      case .abort: events.append("abort")
      case .unknownType(let type): events.append("unknownType \(type)")
      case .secondRequest(let id): events.append("secondRequest \(id)")
      case .bodyEnd:
        events.append("bodyEnd")
        reader.isAnswered = true
      case .broken: return events + ["broken"]
      }
    }
  }
  return events
}
