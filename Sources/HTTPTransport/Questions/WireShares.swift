/// How many questions of each group are on the wire to a server.
///
/// No group takes all places: an eighth, and one at least, is left for the others, so that a repository whose answers
/// take long holds nobody else up.
struct WireShares {
  private let limit: Int
  private var counts: [QuestionGroup: Int] = [:]

  init(places: Int) {
    limit = max(1, places - max(1, places / 8))
  }

  func hasRoom(for group: QuestionGroup) -> Bool { counts[group, default: 0] < limit }

  mutating func take(_ group: QuestionGroup) { counts[group, default: 0] += 1 }

  mutating func giveBack(_ group: QuestionGroup) {
    let left = counts[group, default: 1] - 1
    counts[group] = left > 0 ? left : nil
  }
}
