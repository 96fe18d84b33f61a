internal import CLinux
internal import Glibc
internal import System

/// One request to a FastCGI responder, made by us: how our own commands talk to a bloblo that runs.
///
/// Source: FastCGI 1.0, §3.3 (records), §3.4 (name-value pairs), §5.
package struct FastCGICall {
  package struct Failure: Error, CustomStringConvertible {
    package let description: String

    package init(description: String) { self.description = description }
  }

  private let address: ListenAddress
  private let limit: Duration

  /// - Parameter limit: how long the responder may be silent.
  package init(_ address: ListenAddress, within limit: Duration) {
    self.address = address
    self.limit = limit
  }

  /// - Returns: what the responder wrote: the CGI fields, an empty line, the body.
  package func send(_ params: [(name: String, value: String)]) throws(Failure) -> [UInt8] {
    let descriptor = try connect()
    defer { close(descriptor) }
    try write(Self.request(params), to: descriptor)
    return try output(of: descriptor)
  }

  /// A whole request without a body, on a connection that ends with it.
  static func request(_ params: [(name: String, value: String)]) -> [UInt8] {
    var pairs: [UInt8] = []
    for (name, value) in params {
      for count in [name.utf8.count, value.utf8.count] {
        if count < 128 {
          pairs.append(UInt8(count))
        } else {
          pairs += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) }
          pairs[pairs.count - 4] |= 0x80
        }
      }
      pairs += Array(name.utf8) + Array(value.utf8)
    }
    let responder: UInt8 = 1
    return record(.begin, [0, responder, 0, 0, 0, 0, 0, 0]) + record(.params, pairs)
      + record(.params, []) + record(.input, [])
  }

  private enum Kind: UInt8 {
    case begin = 1
    case end = 3
    case params = 4
    case input = 5
    case output = 6
  }

  private static func record(_ kind: Kind, _ content: [UInt8]) -> [UInt8] {
    precondition(content.count < 1 << 16, "one record holds all params of our own commands")
    return [
      1, kind.rawValue, 0, 1, UInt8(content.count >> 8), UInt8(content.count & 0xFF), 0, 0,
    ] + content
  }

  private func connect() throws(Failure) -> Int32 {
    let descriptor: Int32
    let isConnected: Bool
    switch address {
    case .unix(let path):
      descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
      isConnected = unsafe withUnixAddress(path) { unsafe Glibc.connect(descriptor, $0, $1) } == 0
    case .tcp(let host, let port):
      (descriptor, isConnected) = try Self.connect(host.isEmpty ? "127.0.0.1" : host, port)
    case .inherited: throw Failure(description: "no address")
    }
    let code = errno
    guard isConnected else {
      close(descriptor)
      throw Failure(description: systemWords(for: code))
    }
    setOption(descriptor, timeout: SO_RCVTIMEO, limit)
    setOption(descriptor, timeout: SO_SNDTIMEO, limit)
    return descriptor
  }

  private static func connect(_ host: String, _ port: UInt16) throws(Failure) -> (Int32, Bool) {
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    let result = unsafe getaddrinfo(host, String(port), &hints, &found)
    guard result == 0, let info = unsafe found?.pointee else {
      throw Failure(description: unsafe String(cString: gai_strerror(result)))
    }
    defer { unsafe freeaddrinfo(found) }
    let descriptor = unsafe socket(
      info.ai_family, info.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), info.ai_protocol)
    return unsafe (descriptor, Glibc.connect(descriptor, info.ai_addr, info.ai_addrlen) == 0)
  }

  private func write(_ bytes: [UInt8], to descriptor: Int32) throws(Failure) {
    let count = unsafe bytes.withUnsafeBytes {
      unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
    }
    guard count == bytes.count else { throw Failure(description: "it did not take the request") }
  }

  private func output(of descriptor: Int32) throws(Failure) -> [UInt8] {
    var output: [UInt8] = []
    while true {
      let header = try read(8, from: descriptor)
      let count = Int(header[4]) << 8 | Int(header[5])
      let content = try read(count + Int(header[6]), from: descriptor).prefix(count)
      switch Kind(rawValue: header[1]) {
      case .output: output += content
      case .end: return output
      default: continue
      }
    }
  }

  private func read(_ count: Int, from descriptor: Int32) throws(Failure) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var at = 0
    while at < count {
      let got = unsafe bytes.withUnsafeMutableBytes {
        unsafe Glibc.read(descriptor, $0.baseAddress?.advanced(by: at), count - at)
      }
      if got < 0, errno == EINTR { continue }
      guard got > 0 else {
        throw Failure(
          description: got == 0 ? "it cut the answer off" : "it does not answer within \(limit)")
      }
      at += got
    }
    return bytes
  }
}
