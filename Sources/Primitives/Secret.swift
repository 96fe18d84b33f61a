/// A value that may be used, but never shown: whatever prints it prints `<redacted>`.
package struct Secret<Value: Sendable>: Sendable, CustomStringConvertible,
  CustomDebugStringConvertible, CustomReflectable
{
  /// The value itself. A use of this is a place to look at when secrets are reviewed.
  package let exposed: Value

  package init(_ value: Value) {
    exposed = value
  }

  package var description: String { "<redacted>" }
  package var debugDescription: String { "<redacted>" }
  package var customMirror: Mirror { Mirror(self, children: []) }
}
