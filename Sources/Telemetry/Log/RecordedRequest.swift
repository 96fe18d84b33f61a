/// What the log may read of a request. The log can't answer the request.
package protocol RecordedRequest: Sendable {
  /// - Returns: the param's value; `nil` when the web server sent none.
  func parameter(_ name: StaticString) -> [UInt8]?

  /// The identifier in the logs of bloblo, the registry and the web server.
  var id: RequestID { get }
}
