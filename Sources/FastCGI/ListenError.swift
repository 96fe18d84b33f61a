internal import Glibc
internal import Primitives
internal import System

/// Why there is no listening socket.
package struct ListenError: Error, Sendable, CustomStringConvertible {
  package let description: String

  init(_ address: ListenAddress, _ doing: String, errno code: Int32) {
    let advice =
      switch code {
      case ENOENT: "; create its folder, or choose another path"
      case EACCES: "; may this user write to its folder?"
      default: ""
      }
    description = "\(address): \(doing): \(systemWords(for: code))\(advice)"
  }

  init(_ address: ListenAddress, _ words: String) {
    description = "\(address): \(words)"
  }
}
