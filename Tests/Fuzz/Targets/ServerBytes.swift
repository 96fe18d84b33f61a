import Hashing
import Primitives
import XML

@testable import HTTPTransport
@testable import Registry
@testable import S3
@testable import Telemetry
@testable import Warm

/// A response's head, line by line as libcurl gives it.
func readHead(_ bytes: [UInt8]) throws(BrokenPromise) {
  var parser = HeadParser()
  var rest = bytes[...]
  while !rest.isEmpty {
    let end = rest.firstIndex(of: 0x0A).map { $0 + 1 } ?? rest.endIndex
    switch parser.take(Array(rest[..<end]).span) {
    case .more: break
    case .invalid: return
    case .head(let head):
      try hold((100...999).contains(head.status), "a status has three digits")
      for field in head.fields {
        let isToken = !field.name.isEmpty && field.name.utf8.allSatisfy(isTokenByte)
        try hold(isToken, "a name is a token")
        try hold(field.isSendable, "a value stands on one line")
      }
      if let length = head.contentLength { try hold(length >= 0, "a length is not negative") }
    }
    rest = rest[end...]
  }
}

/// Source: RFC 9110 §5.6.2.
private func isTokenByte(_ byte: UInt8) -> Bool {
  switch byte {
  case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
  default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
  }
}

/// The target of a registry's redirect, and the rest of a head that is judged with it.
func judgeLocation(_ bytes: [UInt8]) throws(BrokenPromise) {
  let encoded = String(repeating: "0123456789abcdef", count: 4)
  guard let digest = Digest("sha256:\(encoded)"), let name = RepositoryName("a/b") else { return }
  let registry = UpstreamRegistry(url: "http://registry")
  let path = BlobPath(name: name, digest: digest)
  for status in [200, 206] {
    let head = HTTPResponseHead(status: status, fields: [HTTPField("Content-Range", bytes)])
    if let size = (try? registry.judge(head, path))?.size {
      try hold((0...BlobProof.largestSize).contains(size), "a size can be added up")
    }
  }
  let head = HTTPResponseHead(status: 307, fields: [HTTPField("Location", bytes)])
  guard (try? registry.judge(head, path)) != nil else { return }
  let text = String(decoding: bytes, as: UTF8.self).lowercased()
  let way = decoded(text.utf8.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") })
  let segments = way.split(separator: "/").map { String($0) }
  var names = segments
  for (first, second) in zip(segments, segments.dropFirst()) { names.append(first + second) }
  try hold(
    names.contains(encoded) || names.contains("sha256:\(encoded)"),
    "a redirect that proves names the digest in its path")
  let query = decoded(text.utf8.drop { $0 != UInt8(ascii: "?") }.prefix { $0 != UInt8(ascii: "#") })
  try hold(
    ["sig", "validate_token", "verify"].contains { query.contains($0) },
    "a redirect that proves is signed")
}

/// The text behind all percent-encoding.
private func decoded(_ bytes: some Sequence<UInt8>) -> String {
  var plain: [UInt8] = []
  for byte in bytes {
    plain.append(byte)
    let tail = plain.suffix(3)
    guard tail.count == 3, tail.first == UInt8(ascii: "%"), !tail.contains(UInt8(ascii: "+")),
      let value = UInt8(String(decoding: tail.dropFirst(), as: UTF8.self), radix: 16)
    else { continue }
    plain.removeLast(3)
    plain.append(value)
  }
  return String(decoding: plain, as: UTF8.self).lowercased()
}

func readTokenResponse(_ bytes: [UInt8]) throws(BrokenPromise) {
  let now = UnixTime(seconds: 1_800_000_000)
  if let token = RegistryAuthority.token(in: bytes) {
    try hold(
      !token.isEmpty && HTTPField("Authorization", token).isSendable, "a token can be sent")
  }
  guard let response = TokenResponse(bytes, at: now) else { return }
  try hold(response.expiration - now <= 1_000_000_000, "a token does not live for ever")
  guard let later = response.body(secondsLeft: 100) else { return }
  try hold(
    TokenResponse(later, at: now).map { $0.expiration - now <= 100 } == true,
    "what is told later is a token and its life")
  try hold(
    RegistryAuthority.token(in: later) == RegistryAuthority.token(in: bytes), "of the same token")
}

/// What S3 says in XML.
func readXML(_ bytes: [UInt8]) throws(BrokenPromise) {
  let response = HTTPResponse(head: HTTPResponseHead(status: 400, fields: []), body: bytes)
  _ = S3ErrorResponse(response).description
  let depth = 32
  guard let root = try? XMLElement(parsing: bytes, maximumDepth: depth) else { return }
  try hold(depthOf(root) <= depth, "the depth is bounded")
  _ = S3ErrorResponse.error(in: root)
  _ = try? MultipartUploadPage(root)
  _ = BucketClient.incompleteUploadLife(in: root, of: "")
}

private func depthOf(_ element: XMLElement) -> Int {
  1 + (element.children.map(depthOf).max() ?? 0)
}

func readDates(_ bytes: [UInt8]) throws(BrokenPromise) {
  let text = String(decoding: bytes, as: UTF8.self)
  _ = ObjectHead.expiration(text)
  for time in [UnixTime(httpDate: text), UnixTime(iso8601: text), UnixTime(credentialTime: text)]
    .compactMap({ $0 })
  {
    // From the year 0 to the year 9999.
    try hold(
      (-62_200_000_000...253_500_000_000).contains(time.seconds), "a date is of this calendar")
  }
}
