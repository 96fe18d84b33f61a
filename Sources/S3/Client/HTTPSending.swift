package import HTTPTransport

/// What sends a signed request: `HTTPClient`, or a test's stand-in.
package protocol HTTPSending: ~Copyable {
  /// - Parameter bodyLimit: bytes of the response's body that are kept; a longer one is an error.
  mutating func send(_ request: HTTPRequest, bodyLimit: Int) throws(TransportError) -> HTTPResponse
}

extension HTTPClient: HTTPSending {}
