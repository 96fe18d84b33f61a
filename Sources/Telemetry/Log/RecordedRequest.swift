/// What the log may read of a request. Who records can't answer it.
package protocol RecordedRequest: Sendable {
  /// - Returns: the param's value; `nil` when the web server sent none.
  func parameter(_ name: StaticString) -> [UInt8]?

  /// The same in our log, upstream's and the web server's.
  var id: RequestID { get }
}
