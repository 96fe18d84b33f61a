import Registry
import Testing

@testable import Offload

struct ClientRoadTests {
  private let a = ClientRoad.Stop(key: .a, size: 7)
  private let b = ClientRoad.Stop(key: .b, size: 7)

  private static let refused = ClientRoad.Outcome.bad("status 403 AccessDenied", isOfKey: false)
  private static let wrongKey = ClientRoad.Outcome.bad(
    "status 403 SignatureDoesNotMatch", isOfKey: true)
  private static let trouble = ClientRoad.Outcome.bad("status 503 SlowDown", isOfKey: false)
  private static let dead = ClientRoad.Outcome.unreachable("connection refused")

  struct Case: Sendable, CustomTestStringConvertible {
    let met: [ClientRoad.Outcome]
    let isBad: Bool
    /// How many objects are found to be unreadable by themselves.
    var unreadable = 0
    var testDescription: String { "\(met)" }
  }

  @Test(arguments: [
    Case(met: [.good], isBad: false), Case(met: [dead], isBad: true),
    Case(met: [.objectGone], isBad: false, unreadable: 1),
    Case(met: [.objectGone, .objectGone], isBad: false, unreadable: 2),
    Case(met: [.objectGone, dead], isBad: true),
    Case(met: [refused, .good], isBad: false, unreadable: 1),
    Case(met: [refused, refused], isBad: true), Case(met: [refused, trouble], isBad: true),
    Case(met: [refused], isBad: false, unreadable: 1), Case(met: [wrongKey], isBad: true),
    Case(met: [trouble], isBad: true), Case(met: [trouble, .good], isBad: false, unreadable: 1),
  ])
  func `a road is bad by what two objects meet, or one that says it all`(c: Case) {
    var road = ClientRoad()
    let unreadable = road.endLook(zip([a, b], c.met).map { ($0, $1) })
    if case .bad = road.state { #expect(c.isBad) } else { #expect(!c.isBad) }
    #expect(unreadable.count == c.unreadable)
  }

  @Test func `two objects in a row are so also in two looks`() {
    var road = ClientRoad()
    let first = road.endLook([(a, Self.refused)])
    #expect(first == [a])
    _ = road.endLook([(nil, .objectGone)])
    _ = road.endLook([(b, Self.refused)])
    #expect(road.state == .bad("status 403 AccessDenied"))
    _ = road.endLook([(b, .good)])
    _ = road.endLook([(b, Self.refused)])
    #expect(road.state == .good, "after a good one the count begins anew")
  }

  @Test func `while it is bad nobody is sent there, until a look finds it good`() {
    var road = ClientRoad()
    road.use(a, at: 0)
    _ = road.endLook([(a, Self.dead)])
    let words = road.trouble(at: 1)
    #expect(words == "connection refused")
    _ = road.endLook([(a, .good)])
    let none = road.trouble(at: 2)
    #expect(none == nil && road.hasWorked)
  }

  @Test func `while a look waits for more than a second nobody is sent there`() {
    var road = ClientRoad()
    road.use(a, at: 0)
    road.beginLook(at: 0)
    let (soon, late) = (road.trouble(at: 1000), road.trouble(at: 1001))
    #expect(soon == nil && late != nil)
  }

  @Test func `it is looked at while it is used, and while it is not known to be good`() {
    var road = ClientRoad()
    #expect(road.isLookDue(at: 0))
    road.beginLook(at: 0)
    _ = road.endLook([(nil, .good)])
    #expect(!road.isLookDue(at: 5000), "nobody uses it")
    road.use(a, at: 5000)
    #expect(road.isLookDue(at: 5000))
    road.beginLook(at: 5000)
    _ = road.endLook([(a, .good)])
    #expect(!road.isLookDue(at: 5999) && road.isLookDue(at: 6000) && !road.isLookDue(at: 15_000))
    road.beginLook(at: 15_000)
    _ = road.endLook([(a, Self.dead)])
    #expect(road.isLookDue(at: 100_000))
  }

  @Test func `the last four objects are looked at, each look begins with another`() {
    var road = ClientRoad()
    let last = (0..<4).map { ClientRoad.Stop(key: .sample($0), size: 7) }
    for stop in [a, b, a] + last { road.use(stop, at: 0) }
    #expect(road.stops == last.reversed())
    var firsts: [ClientRoad.Stop] = []
    for look in 0..<8 {
      let stops = road.beginLook(at: Int64(look) * 1000)
      #expect(stops.count == 4)
      firsts.append(contentsOf: stops.prefix(1))
      _ = road.endLook(stops.prefix(1).map { ($0, .good) })
    }
    #expect(firsts == Array(last.reversed()) + last.reversed())
  }
}

struct RoadWatchTests {
  private let road = RoadWatch()

  @Test func `eight looks for clients that come back run at a time`() {
    #expect(
      (0..<9).map { _ in road.takeTurn(at: 5000) } == Array(repeating: true, count: 8) + [false])
    road.endTurn()
    #expect(road.takeTurn(at: 5000))
  }

  @Test func `and 32 begin in a second`() {
    func turns(at now: Int64) -> Int {
      (0..<100).count { _ in
        let isTaken = road.takeTurn(at: now)
        if isTaken { road.endTurn() }
        return isTaken
      }
    }
    #expect(turns(at: 5000) == 32)
    #expect(turns(at: 5999) == 0)
    #expect(turns(at: 6000) == 32)
  }

  @Test func `a client that comes back has the road looked at sooner`() {
    road.use(ClientRoad.Stop(key: .a, size: 7), at: 0)
    #expect(road.beginLook(at: 0) != nil)
    _ = road.endLook([(ClientRoad.Stop(key: .a, size: 7), .good)])
    #expect(road.beginLook(at: 200) == nil)
    road.noteReturn()
    #expect(road.beginLook(at: 200) != nil)
    _ = road.endLook([(ClientRoad.Stop(key: .a, size: 7), .good)])
    #expect(road.beginLook(at: 400) == nil, "nobody came back since")
  }
}
