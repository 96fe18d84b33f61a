internal import Primitives

/// Those who wait for a place, in groups that take turns: a group with many waiting does not hold up the one
/// with few.
struct FairLine<Group: Hashable, Element> {
  private var queues: [Group: RingBuffer<Element>] = [:]
  private var turns = RingBuffer<Group>()
  private(set) var count = 0

  init() {}

  mutating func append(_ element: Element, of group: Group) {
    if queues[group] == nil { turns.append(group) }
    queues[group, default: RingBuffer()].append(element)
    count += 1
  }

  /// The next one of the group whose turn it is.
  mutating func popFirst() -> Element? {
    guard let group = turns.popFirst(), let element = queues[group]?.popFirst() else { return nil }
    count -= 1
    if queues[group]?.count == 0 { queues[group] = nil } else { turns.append(group) }
    return element
  }
}
