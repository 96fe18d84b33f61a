import Primitives
import Testing

struct SpanBytesTests {
  private let bytes = Array("/v2/a/blobs/".utf8)

  private func place(of byte: UInt8, in bytes: [UInt8]) -> Int? { bytes.span.firstIndex(of: byte) }
  private func begins(_ bytes: [UInt8], _ text: StaticString) -> Bool {
    bytes.span.begins(with: text)
  }
  private func holds(_ text: StaticString, at start: Int) -> Bool {
    bytes.span.holds(text, at: start)
  }
  private func isEqual(_ bytes: [UInt8], _ text: StaticString) -> Bool {
    bytes.span.isEqual(to: text)
  }
  private func isEqual(_ bytes: [UInt8], _ other: [UInt8]) -> Bool {
    bytes.span.isEqual(to: other.span)
  }

  @Test func `a byte is found at its first place, or nowhere`() {
    #expect(place(of: 0x2F, in: bytes) == 0)
    #expect(place(of: UInt8(ascii: "b"), in: bytes) == 6)
    #expect(place(of: 0, in: bytes) == nil)
    #expect(place(of: 0, in: []) == nil)
  }

  @Test func `a beginning is whole`() {
    #expect(begins(bytes, "/v2/"))
    #expect(begins(bytes, ""))
    #expect(!begins(bytes, "/v3/"))
    #expect(!begins(Array(bytes.prefix(3)), "/v2/"))
    #expect(!begins([], "/"))
    #expect(begins([], ""))
  }

  @Test(arguments: [(5, true), (4, false), (6, false), (-1, false), (12, false)])
  func `a text is looked for within the bytes only`(start: Int, isThere: Bool) {
    #expect(holds("/blobs/", at: start) == isThere)
  }

  @Test func `what is equal has the same length`() {
    #expect(isEqual(bytes, "/v2/a/blobs/"))
    #expect(!isEqual(bytes, "/v2/a/blobs"))
    #expect(!isEqual(bytes, "/v2/a/blobs/x"))
    #expect(isEqual(bytes, Array("/v2/a/blobs/".utf8)))
    #expect(!isEqual(bytes, Array(bytes.dropFirst())))
    #expect(isEqual([], [UInt8]()))
    #expect(isEqual([], ""))
  }
}
