/// How a line of the log is written.
package enum LogFormat: String, Sendable, CaseIterable {
  case json, text
}
