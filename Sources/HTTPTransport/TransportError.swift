/// Why an exchange did not come to a whole response.
package struct TransportError: Error, Sendable, CustomStringConvertible {
  package enum Kind: Sendable {
    /// No connection: refused, unreachable, not made in time, name not found, TLS refused. Nothing was sent.
    case connect
    /// Nothing was sent: too many wait for the server already, or this process has no room for more.
    case line
    /// A limit of `HTTPLimits` was reached.
    case timeout
    /// The connection broke, or what came was not HTTP.
    case broken
    /// The receiver wanted no more.
    case stopped
    /// The request can't be sent as it is.
    case invalid
  }

  package let kind: Kind
  /// The library's own words; never a header or a query.
  package let message: String

  package init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  package var description: String { message }
}
