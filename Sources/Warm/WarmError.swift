/// Why an image could not be walked; in words for people.
package struct WarmError: Error, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }
}
