/// Why an image could not be read, in words for people.
package struct WarmError: Error, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }
}
