import Testing

@testable import Gateway

struct RequestCoalescerTests {
  @Test func `those who come while one asks get its answer, and nobody else's`() {
    let coalescer = RequestCoalescer<Int, String>()
    // Thousands ask at a time, and end in another order.
    for key in 0..<5000 { #expect(!coalescer.join("first", key)) }
    for key in 0..<5000 where key % 3 == 0 { #expect(coalescer.join("\(key)", key)) }
    for key in stride(from: 4999, through: 0, by: -1) {
      #expect(coalescer.complete(key) == (key % 3 == 0 ? ["\(key)"] : []))
    }
    #expect(!coalescer.join("next", 7), "the asking has ended")
  }

  @Test func `what nobody asks can't be joined, and ends without waiters`() {
    let coalescer = RequestCoalescer<Int, String>()
    #expect(!coalescer.joinIfAsked("a", 1))
    #expect(coalescer.complete(1).isEmpty)
    #expect(coalescer.begin(1))
    #expect(!coalescer.begin(1))
    #expect(coalescer.joinIfAsked("a", 1))
    #expect(!coalescer.joinIfAsked("b", 2))
    #expect(coalescer.complete(1) == ["a"])
    #expect(coalescer.begin(1))
  }
}
