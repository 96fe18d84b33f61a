internal import Glibc
internal import HTTPTransport

/// The fields of a request that waits, with the credential among them, in memory of its own that is zeroed when
/// it is let go of.
@safe
final class KeptFields: Sendable {
  private let fields: [(name: String, value: Range<Int>)]
  /// Written by `init` and `deinit` only.
  nonisolated(unsafe) private let memory: UnsafeMutableRawBufferPointer
  private let onEnd: (@Sendable ([UInt8]) -> Void)?

  /// - Parameter onEnd: called with the memory just before it is given back; for tests.
  init(
    _ fields: [HTTPField], onEnd: (@Sendable ([UInt8]) -> Void)? = nil
  ) {
    let size = fields.reduce(0) { $0 + $1.value.count }
    unsafe memory = .allocate(byteCount: max(size, 1), alignment: 1)
    var (places, end) = ([(name: String, value: Range<Int>)](), 0)
    for field in fields {
      let place = end..<(end + field.value.count)
      unsafe UnsafeMutableRawBufferPointer(rebasing: memory[place]).copyBytes(from: field.value)
      places.append((field.name, place))
      end = place.upperBound
    }
    self.fields = places
    self.onEnd = onEnd
  }

  deinit {
    if let base = unsafe memory.baseAddress { unsafe explicit_bzero(base, memory.count) }
    onEnd?(unsafe Array(memory))
    unsafe memory.deallocate()
  }

  /// A copy, to be sent.
  var copy: [HTTPField] {
    fields.map { field in
      HTTPField(field.name, unsafe Array(UnsafeRawBufferPointer(rebasing: memory[field.value])))
    }
  }
}
