internal import Primitives
internal import System

/// Why there is no listening socket.
package struct ListenError: Error, Sendable, CustomStringConvertible {
  package let description: String

  init(_ address: ListenAddress, _ doing: String, errno code: Int32) {
    description = "\(address): \(doing): \(systemWords(for: code))"
  }

  init(_ address: ListenAddress, _ words: String) {
    description = "\(address): \(words)"
  }
}
