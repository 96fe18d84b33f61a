internal import Primitives

/// Those who wait for a place, in groups that take turns: a group with many waiting does not hold up the one
/// with few.
struct FairLine<Group: Hashable, Element> {
  private var queues: [Group: RingBuffer<Element>] = [:]
  private var turns = RingBuffer<Group>()
  private(set) var count = 0

  init() {}

  var groupCount: Int { turns.count }

  mutating func append(_ element: Element, of group: Group) {
    if queues[group] == nil { turns.append(group) }
    queues[group, default: RingBuffer()].append(element)
    count += 1
  }

  /// The next one of the group whose turn it is. A group that `mayGo` refuses keeps its place, and the next has its turn.
  mutating func popFirst(where mayGo: (Group) -> Bool) -> (group: Group, element: Element)? {
    for _ in 0..<turns.count {
      guard let group = turns.popFirst() else { return nil }
      guard mayGo(group) else {
        turns.append(group)
        continue
      }
      guard let element = queues[group]?.popFirst() else { return nil }
      count -= 1
      if queues[group]?.count == 0 { queues[group] = nil } else { turns.append(group) }
      return (group, element)
    }
    return nil
  }
}
