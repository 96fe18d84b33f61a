/// How many questions of each group are on the wire to a server.
///
/// No group takes all places, so that a repository whose answers take long holds nobody else up: an eighth is left for
/// the others, and one at least. Of a large number 16 are enough while nobody else waits: a thousand nodes that pull one
/// image at once have a place each.
struct WireShares {
  private let limitAlone: Int
  private let limit: Int
  private var counts: [QuestionGroup: Int] = [:]

  init(places: Int) {
    let eighth = max(1, places / 8)
    limit = max(1, places - eighth)
    limitAlone = max(1, places - min(16, eighth))
  }

  /// - Parameter doOthersWait: whether questions of another group stand in line.
  func hasRoom(for group: QuestionGroup, doOthersWait: Bool) -> Bool {
    counts[group, default: 0] < (doOthersWait ? limit : limitAlone)
  }

  mutating func take(_ group: QuestionGroup) { counts[group, default: 0] += 1 }

  mutating func giveBack(_ group: QuestionGroup) {
    let left = counts[group, default: 1] - 1
    counts[group] = left > 0 ? left : nil
  }
}
