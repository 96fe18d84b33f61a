internal import Glibc

/// The system's words for an error number.
package func systemWords(for code: Int32) -> String {
  var buffer = [CChar](repeating: 0, count: 128)
  let isKnown = unsafe buffer.withUnsafeMutableBufferPointer { buffer in
    guard let start = buffer.baseAddress else { return false }
    return unsafe strerror_r(code, start, buffer.count) == 0
  }
  guard isKnown else { return "error \(code)" }
  return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
