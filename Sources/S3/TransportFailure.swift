package import HTTPTransport

/// The transport's error, as a value that can be compared.
package struct TransportFailure: Hashable, Sendable {
  package let kind: TransportError.Kind
  /// The library's own words.
  package let message: String

  package init(_ error: TransportError) {
    kind = error.kind
    message = error.message
  }
}
