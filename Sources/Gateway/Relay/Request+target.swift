internal import FastCGI
internal import Primitives

extension Request {
  /// The request's target: path and query, as the client sent them.
  ///
  /// `REQUEST_URI` is not in the CGI specification, but every web server sets it. Without it the target is made from
  /// decoded params, RFC 3875 §4.1.13, §4.1.5 and §4.1.7.
  var target: [UInt8]? {
    if let target = parameter("REQUEST_URI") { return target }
    var target: [UInt8] = []
    for byte in (parameter("SCRIPT_NAME") ?? []) + (parameter("PATH_INFO") ?? []) {
      if byte.isPlainInPath { target.append(byte) } else { target.append(percentEncoding: byte) }
    }
    guard !target.isEmpty else { return nil }
    if let query = parameter("QUERY_STRING"), !query.isEmpty {
      target.append(UInt8(ascii: "?"))
      target += query
    }
    return target
  }
}

extension UInt8 {
  /// Source: RFC 3986 §3.3.
  fileprivate var isPlainInPath: Bool {
    switch self {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: "-._~!$&'()*+,;=:@/".utf8.contains(self)
    }
  }
}
