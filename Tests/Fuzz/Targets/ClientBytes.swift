import Glibc
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

/// A FastCGI connection: what the scanner holds for a whole request, libfcgi reads without waiting.
func readRecords(_ bytes: [UInt8]) throws(BrokenPromise) {
  // libfcgi is shown what the responder would show it.
  let finding = RecordScanner.scan(bytes.span)
  guard finding == .whole || finding == .params, bytes.count <= 32 << 10, let pair = SocketPair()
  else { return }
  defer { close(pair.webServer) }
  let isWhole = finding == .whole
  _ = unsafe bytes.withUnsafeBytes { unsafe write(pair.webServer, $0.baseAddress, $0.count) }
  // Who waits for the rest of a request that is not whole would wait for ever.
  if !isWhole { shutdown(pair.webServer, Int32(SHUT_WR)) }
  let patience = Duration.seconds(20)
  let connections = FastCGI.Connections(ConnectionLimits(read: patience, write: patience))
  _ = fastCGIIsReady
  guard connections.add(pair.responder) else { return }
  let began = ContinuousClock.now
  if let request = FastCGIRequest(on: pair.responder, of: connections) {
    for name: StaticString in ["REQUEST_URI", "HTTP_AUTHORIZATION", "HTTP_RANGE"] {
      _ = request.parameter(name)
    }
    request.forEachParameter(prefix: "BLOBLO_") { _, _ in }
    request.answer(ResponseHead(status: 200), body: [1, 2, 3])
  }
  try hold(
    !isWhole || ContinuousClock.now - began < patience, "a whole request is read without waiting")
  if !connections.waitUntilNone(for: .zero) { connections.close(pair.responder) }
}

private struct SocketPair {
  let webServer: Int32
  let responder: Int32

  init?() {
    var both: [Int32] = [0, 0]
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    guard unsafe socketpair(AF_UNIX, kind, 0, &both) == 0 else { return nil }
    (webServer, responder) = (both[0], both[1])
  }
}

/// libfcgi is set up by whoever makes the first responder.
private let fastCGIIsReady: Bool = {
  struct Nobody: RequestHandler {
    func handle(_ request: Request) {}
  }
  guard let listener = try? Listener(.tcp(host: "", port: 0)) else { return false }
  _ = Responder(listener, handler: Nobody())
  return true
}()
