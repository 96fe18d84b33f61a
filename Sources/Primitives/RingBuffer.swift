/// A first-in, first-out queue in one array, which grows by doubling.
package struct RingBuffer<Element> {
  private var slots: [Element?] = []
  private var first = 0
  package private(set) var count = 0

  package init() {}

  package mutating func append(_ element: Element) {
    if count == slots.count { grow() }
    slots[(first + count) % slots.count] = element
    count += 1
  }

  package mutating func popFirst() -> Element? {
    guard count > 0 else { return nil }
    let element = slots[first].take()
    first = (first + 1) % slots.count
    count -= 1
    return element
  }

  /// Takes out the first element that `isIt`, and keeps the others' order.
  ///
  /// - Returns: whether there was one.
  package mutating func remove(where isIt: (Element) -> Bool) -> Bool {
    var others: [Element] = []
    var isFound = false
    while let element = popFirst() {
      if !isFound, isIt(element) { isFound = true } else { others.append(element) }
    }
    for element in others { append(element) }
    return isFound
  }

  private mutating func grow() {
    var larger: [Element?] = []
    larger.reserveCapacity(max(8, slots.count * 2))
    for i in 0..<count { larger.append(slots[(first + i) % slots.count]) }
    while larger.count < max(8, slots.count * 2) { larger.append(nil) }
    slots = larger
    first = 0
  }
}

extension RingBuffer: Sendable where Element: Sendable {}
