/// Why an image could not be walked; in words for people.
struct WarmError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
