package import HTTPTransport

/// The one spelling of a request that both sides sign.
///
///     <method>\n
///     <path, each segment percent-encoded once; S3 does not normalise it>\n
///     <query, sorted>\n
///     <name>:<value>\n …, sorted\n
///     \n
///     <names of the signed headers, separated by ;>\n
///     <SHA-256 of the payload, or UNSIGNED-PAYLOAD>
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
package struct CanonicalRequest: Sendable {
  package let bytes: [UInt8]
  /// Lower-case names, sorted, separated by `;`.
  package let signedHeaders: String

  package var string: String { String(decoding: bytes, as: UTF8.self) }

  /// The request that a presigned URL is for: `host` alone is signed, and no payload.
  ///
  /// - Parameters:
  ///   - path: as in the URL.
  ///   - query: as in the URL, and that is sorted.
  package init(
    presigning method: HTTPRequest.Method, path: Span<UInt8>, query: Span<UInt8>, host: Span<UInt8>
  ) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(path.count + query.count + host.count + 64)
    bytes.append(contentsOf: method.rawValue.utf8)
    bytes.append(UInt8(ascii: "\n"))
    bytes.append(copying: path)
    bytes.append(UInt8(ascii: "\n"))
    bytes.append(copying: query)
    bytes.append(contentsOf: "\nhost:".utf8)
    bytes.append(copying: host)
    bytes.append(contentsOf: "\n\nhost\nUNSIGNED-PAYLOAD".utf8)
    self.bytes = bytes
    signedHeaders = "host"
  }

  /// A request that carries its signature in `Authorization`.
  ///
  /// All its fields are signed, but those that the transport or a proxy may set or change.
  ///
  /// - Parameter request: its URL goes out as it is; its query is percent-encoded as SigV4 wants.
  package init(_ request: HTTPRequest, payloadHash: PayloadHash) {
    let url = RequestURL(request.url)
    var values: [String: [UInt8]] = [:]
    for field in request.fields {
      let name = field.name.lowercased()
      guard !Self.unsignedNames.contains(name) else { continue }
      let value = Self.trimmed(field.value)
      values[name] = values[name].map { $0 + [UInt8(ascii: ",")] + value } ?? value
    }
    if values["host"] == nil { values["host"] = Array(url.host.utf8) }
    let names = values.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    signedHeaders = names.joined(separator: ";")

    var bytes = Array("\(request.method.rawValue)\n\(url.path)\n\(url.canonicalQuery)\n".utf8)
    for name in names {
      bytes.append(contentsOf: name.utf8)
      bytes.append(UInt8(ascii: ":"))
      bytes.append(contentsOf: values[name] ?? [])
      bytes.append(UInt8(ascii: "\n"))
    }
    bytes.append(contentsOf: "\n\(signedHeaders)\n\(payloadHash.text)".utf8)
    self.bytes = bytes
  }

  private static let unsignedNames: Set<String> = [
    "accept-encoding", "authorization", "connection", "content-length", "expect",
    "transfer-encoding", "user-agent", "x-amzn-trace-id",
  ]

  /// Without white space at either end, and with one space for each run of spaces within.
  private static func trimmed(_ value: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var isSpacePending = false
    for byte in value {
      if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") {
        isSpacePending = !result.isEmpty
      } else {
        if isSpacePending { result.append(UInt8(ascii: " ")) }
        isSpacePending = false
        result.append(byte)
      }
    }
    return result
  }
}

extension [UInt8] {
  mutating func append(copying span: Span<UInt8>) {
    unsafe span.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
  }
}
