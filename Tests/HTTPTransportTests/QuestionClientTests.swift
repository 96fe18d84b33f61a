import Foundation
import TestSupport
import Testing
import Threading

@testable import HTTPTransport

/// Questions on an event loop, to servers that follow a script.
@Suite(.serialized) struct QuestionClientTests {
  typealias Answer = Result<HTTPResponseHead, TransportError>

  /// A loop with a thread of its own.
  private final class Asker: Sendable {
    let loop = EventLoop()
    let client: QuestionClient
    private let answers = Monitor<[(Int, Answer)]>([])
    private let clock = Monitor(ContinuousClock.now)

    init(connectionLimit: Int = 1024) {
      let clock = clock
      client = QuestionClient(loop, connectionLimit: connectionLimit) { clock.withLock { $0 } }
      let loop = loop
      Threading.Thread.start("loop") { loop.run() }?.detach()
    }

    deinit { loop.stop() }

    /// Rests go on only so.
    func pass(_ time: Duration) { clock.update { $0 += time } }

    func ask(
      _ number: Int, _ url: String, _ method: HTTPRequest.Method = .head, group: String = "",
      limits: HTTPLimits = .patient,
      isWanted: @escaping @Sendable () -> Bool = { true }
    ) {
      loop.perform { [self] in
        client.ask(
          HTTPRequest(method, url, limits: limits), group: QuestionGroup(Array(group.utf8)),
          isWanted: isWanted
        ) { answer in self.answers.update { $0.append((number, answer)) } }
      }
    }

    /// The answers in the order they came, once there are so many.
    func wait(for count: Int) -> [(Int, Answer)] {
      answers.wait(for: patience) { $0.count >= count ? $0 : nil } ?? []
    }
  }

  private func length(_ answer: Answer?) -> Int64? {
    if case .success(let head)? = answer { head.contentLength } else { nil }
  }

  private func kind(_ answer: Answer?) -> TransportError.Kind? {
    if case .failure(let error)? = answer { error.kind } else { nil }
  }

  /// Says of each path, `/7`, that its blob has so many bytes.
  private static func sized(_ request: ReceivedRequest) -> String {
    let number = request.lines[0].split(separator: " ")[1].dropFirst()
    return "HTTP/1.1 200 OK\r\nContent-Length: \(number)\r\n\r\n"
  }

  @Test func `each question gets its own answer`() {
    let server = ScriptedServer { Reply(Self.sized($0)) }
    let asker = Asker()
    for i in 0..<50 { asker.ask(i, "\(server.url)/\(i)") }
    let answers = asker.wait(for: 50)
    #expect(answers.count == 50)
    for (i, answer) in answers { #expect(length(answer) == Int64(i)) }
  }

  @Test func `a URL is looked at though the one before was of the same server`() {
    let (first, second) = (
      ScriptedServer { Reply(Self.sized($0)) }, ScriptedServer { Reply(Self.sized($0)) }
    )
    let asker = Asker()
    let urls = [
      "\(first.url)/1", "\(first.url)/2", "\(second.url)/3", "\(first.url)/4",
      "\(first.url.uppercased())/5", "\(first.url)/6#x", "\(first.url)/6 6", "\(first.url)/é",
      "\(first.url)9/8",
      "\(first.url)/9",
    ]
    for (i, url) in urls.enumerated() {
      asker.ask(i, url)
      _ = asker.wait(for: i + 1)
    }
    let answers = asker.wait(for: urls.count).map(\.1)
    #expect(answers.map(length) == [1, 2, 3, 4, 5, nil, nil, nil, nil, 9])
    #expect(answers[5...7].map(kind) == [.invalid, .invalid, .invalid])
    #expect(second.replies == 1)
  }

  @Test(arguments: [0, 2000, 30_000, 300_000])
  func `bytes behind the answer to a HEAD are no answer`(pause: UInt32) {
    let body = "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"
    let server = ScriptedServer { Reply(pieces: [Self.sized($0), body], pause: pause) }
    let asker = Asker()
    // Each question is sent as soon as the one before is answered: before the bytes come.
    for i in 0..<40 {
      asker.ask(i, "\(server.url)/\(i)")
      #expect(length(asker.wait(for: i + 1).last?.1) == Int64(i))
    }
    #expect(eventually { server.replies == 40 })
    asker.pass(.milliseconds(1200))
    for i in 40..<60 {
      asker.ask(i, "\(server.url)/\(i)")
      #expect(length(asker.wait(for: i + 1).last?.1) == Int64(i))
    }
    #expect(server.accepts == 60)
  }

  /// Errors have a body behind them, successes have none; and the other way round.
  @Test(arguments: [true, false])
  func `quiet is proved behind each kind of answer by itself`(isLateBehindErrors: Bool) {
    let server = ScriptedServer { request in
      let isError = request.lines[0].contains("/error")
      let number = request.lines[0].split(separator: " ")[1].split(separator: "/").last ?? ""
      let head =
        "HTTP/1.1 \(isError ? "404 Not Found" : "200 OK")\r\nContent-Length: \(number)\r\n\r\n"
      let trap = "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"
      return isError == isLateBehindErrors
        ? Reply(pieces: [head, trap], pause: 300_000) : Reply(head)
    }
    let (quiet, late) = isLateBehindErrors ? ("ok", "error") : ("error", "ok")
    let asker = Asker()
    for i in 0..<20 { asker.ask(i, "\(server.url)/\(quiet)/\(i)") }
    _ = asker.wait(for: 20)
    asker.pass(.milliseconds(1200))
    // Proved: these use one connection, again and again.
    for i in 20..<40 {
      asker.ask(i, "\(server.url)/\(quiet)/\(i)")
      #expect(length(asker.wait(for: i + 1).last?.1) == Int64(i))
    }
    #expect(server.accepts == 20)
    // More than there are connections.
    for i in 40..<70 {
      asker.ask(i, "\(server.url)/\(late)/\(i)")
      #expect(length(asker.wait(for: i + 1).last?.1) == Int64(i))
    }
  }

  @Test func `rests behind GETs say nothing of HEADs, and eight behind HEADs are proof`() {
    let server = ScriptedServer { Reply(Self.sized($0)) }
    let asker = Asker()
    // A GET's answer of length 0 is whole, so its connection rests.
    for i in 0..<20 { asker.ask(i, "\(server.url)/0", .get) }
    _ = asker.wait(for: 20)
    #expect(server.accepts == 20)
    func ask(_ numbers: Range<Int>) {
      for i in numbers {
        asker.ask(i, "\(server.url)/\(i)")
        #expect(length(asker.wait(for: i + 1).last?.1) == Int64(i))
      }
    }
    asker.pass(.milliseconds(1200))
    ask(20..<40)
    #expect(server.accepts == 20)
    // None has rested for long behind a HEAD.
    ask(40..<41)
    #expect(server.accepts == 21)
    asker.pass(.milliseconds(1200))
    ask(41..<90)
    #expect(server.accepts == 21)
  }

  @Test func `a server that has proved quiet is asked over the same connections`() {
    let server = ScriptedServer { Reply(Self.sized($0)) }
    let asker = Asker()
    for i in 0..<64 { asker.ask(i, "\(server.url)/\(i)") }
    _ = asker.wait(for: 64)
    #expect(server.accepts == 64)
    asker.pass(.milliseconds(1200))
    for i in 64..<128 {
      asker.ask(i, "\(server.url)/\(i)")
      #expect(length(asker.wait(for: i + 1).last?.1) == Int64(i))
    }
    for i in 128..<192 {
      asker.ask(i, "\(server.url)/\(i)")
      #expect(length(asker.wait(for: i + 1).last?.1) == Int64(i))
    }
    #expect(server.accepts == 64)
  }

  @Test func `a line is fair, and says so when it does not move`() throws {
    let server = ScriptedServer { request in
      request.lines[0].contains("/stall") ? Reply("", .stall) : Reply(Self.sized(request))
    }
    let asker = Asker(connectionLimit: 1)
    // At once: none is answered before all stand in line.
    asker.loop.submit {
      for i in 0..<20 { asker.ask(i, "\(server.url)/\(i)", group: "many") }
      asker.ask(20, "\(server.url)/20", group: "few")
    }
    let order = asker.wait(for: 21).map(\.0)
    let place = try #require(order.firstIndex(of: 20))
    #expect(place <= 2)

    asker.ask(21, "\(server.url)/stall")
    asker.ask(22, "\(server.url)/22", limits: HTTPLimits(head: .milliseconds(100)))
    let last = try #require(asker.wait(for: 22).last)
    #expect(last.0 == 22 && kind(last.1) == .line)
  }

  @Test(arguments: [2, 8, 32])
  func `a group that waits long leaves places for the others`(limit: Int) {
    let server = ScriptedServer { request in
      request.lines[0].contains("/stall") ? Reply("", .stall) : Reply(Self.sized(request))
    }
    let asker = Asker(connectionLimit: limit)
    for i in 0..<(limit * 2) { asker.ask(1000 + i, "\(server.url)/stall", group: "slow") }
    for i in 0..<20 { asker.ask(i, "\(server.url)/\(i)", group: "quick") }
    let answers = asker.wait(for: 20)
    #expect(Set(answers.map(\.0)) == Set(0..<20))
    #expect(answers.allSatisfy { length($0.1) == Int64($0.0) })
  }

  @Test func `a group alone has all places but an eighth, and each that is free again`() {
    let server = ScriptedServer { Reply(Self.sized($0)) }
    let asker = Asker(connectionLimit: 8)
    for i in 0..<200 { asker.ask(i, "\(server.url)/\(i)", group: "alone") }
    #expect(asker.wait(for: 200).count == 200)
  }

  @Test(arguments: [(1024, 1008, 896), (32, 28, 28), (8, 7, 7), (2, 1, 1), (1, 1, 1)])
  func `who is alone leaves few places, and an eighth when others wait`(
    places: Int, alone: Int, besideOthers: Int
  ) {
    var shares = WireShares(places: places)
    let group = QuestionGroup(Array("many".utf8))
    for taken in 0...places {
      #expect(shares.hasRoom(for: group, doOthersWait: false) == (taken < alone))
      #expect(shares.hasRoom(for: group, doOthersWait: true) == (taken < besideOthers))
      shares.take(group)
    }
  }

  @Test func `a server that does not answer is given up`() {
    let server = ScriptedServer { _ in Reply("", .stall) }
    let asker = Asker()
    asker.ask(0, server.url, limits: HTTPLimits(head: .seconds(2)))
    #expect(kind(asker.wait(for: 1).last?.1) == .timeout)
  }

  @Test func `who has gone is not asked for`() {
    let server = ScriptedServer { Reply(pieces: ["", Self.sized($0)], pause: 100_000) }
    let asker = Asker(connectionLimit: 1)
    asker.ask(0, "\(server.url)/0")
    asker.ask(1, "\(server.url)/1", isWanted: { false })
    asker.ask(2, "\(server.url)/2")
    #expect(kind(asker.wait(for: 3).first { $0.0 == 1 }?.1) == .stopped)
    #expect(server.requests.count == 2)
  }

  /// A proxy says so before it closes an idle connection.
  @Test func `a byte that comes long after an answer ends its connection only`() throws {
    let isLate = Monitor(false)
    let server = ScriptedServer { request in
      guard request.lines[0].contains("/77 ") else { return Reply(Self.sized(request)) }
      return Reply(pieces: [Self.sized(request), "HTTP/1.1 408 x\r\n\r\n"], .close) {
        _ = isLate.wait(for: patience) { $0 ? true : nil }
      }
    }
    let asker = Asker()
    asker.ask(0, "\(server.url)/77")
    _ = asker.wait(for: 1)
    asker.pass(.seconds(6))
    isLate.update { $0 = true }
    #expect(eventually { server.replies == 1 })
    for i in 1..<20 {
      asker.ask(i, "\(server.url)/\(i)")
      #expect(length(asker.wait(for: i + 1).last?.1) == Int64(i))
      asker.pass(.milliseconds(1200))
    }
    #expect(server.accepts == 2)
  }

  /// Nobody waits for the second answer when its connection turns out to be closed.
  @Test func `a connection that is gone with those who asked is no failure of the server`() {
    let isGone = Monitor(false)
    let server = ScriptedServer { request in
      guard request.lines[0].contains("/1 ") else { return Reply(Self.sized(request)) }
      isGone.update { $0 = true }
      return Reply(pieces: [], .close)
    }
    let asker = Asker()
    asker.ask(0, "\(server.url)/0")
    _ = asker.wait(for: 1)
    asker.pass(.milliseconds(1200))
    asker.ask(1, "\(server.url)/1") { !isGone.withLock { $0 } }
    #expect(kind(asker.wait(for: 2).last?.1) == .stopped)
  }

  /// Source: RFC 9112 §5.2.
  @Test func `a line of white space does not end a head`() {
    let server = ScriptedServer { _ in
      Reply("HTTP/1.1 200 OK\r\nA: b\r\n \r\nContent-Length: 7\r\n\r\n")
    }
    let asker = Asker()
    asker.ask(0, server.url)
    #expect(length(asker.wait(for: 1).last?.1) == 7)
  }

  @Test func `a connection that the server has closed is no failure`() {
    let server = ScriptedServer { Reply(Self.sized($0), .close) }
    let asker = Asker()
    for i in 0..<5 {
      asker.ask(i, "\(server.url)/\(i)")
      #expect(length(asker.wait(for: i + 1).last?.1) == Int64(i))
      if i == 2 { asker.pass(.milliseconds(1200)) }
    }
  }

  @Test func `a name is looked up`() {
    let server = ScriptedServer { Reply(Self.sized($0)) }
    let asker = Asker()
    for i in 0..<5 { asker.ask(i, "http://localhost:\(server.port)/\(i)") }
    for (i, answer) in asker.wait(for: 5) { #expect(length(answer) == Int64(i)) }
    // A label too long for any name: it is refused without a question to a server.
    asker.ask(5, "http://\(String(repeating: "a", count: 64)).invalid/")
    #expect(kind(asker.wait(for: 6).last?.1) == .connect)
    asker.ask(6, "http://127.0.0.1:1/")
    #expect(kind(asker.wait(for: 7).last?.1) == .connect)
  }

  @Test func `time that runs out before there is a connection is no answer that failed to come`() {
    let server = ScriptedServer { _ in Reply(pieces: [], .stall) }
    let (asker, limits) = (Asker(), HTTPLimits(head: .seconds(2)))
    // Its TLS never begins.
    asker.ask(0, "https://127.0.0.1:\(server.port)/0", limits: limits)
    #expect(kind(asker.wait(for: 1).last?.1) == .connect)
    asker.ask(1, "\(server.url)/1", limits: limits)
    #expect(kind(asker.wait(for: 2).last?.1) == .timeout)
  }

  @Test(arguments: [
    ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n", 404),
    ("HTTP/1.0 200 OK\r\n\r\n", 200), ("HTTP/1.1 204\r\n\r\n", 204), ("nonsense\r\n\r\n", nil),
    ("HTTP/1.1 101 Switching Protocols\r\n\r\n", nil), ("HTTP/1.1 200 OK\r\nA: b", nil),
  ])
  func `heads of all kinds`(text: String, status: Int?) {
    let server = ScriptedServer { _ in Reply(text, .close) }
    let asker = Asker()
    asker.ask(0, server.url)
    let answer = asker.wait(for: 1).first?.1
    if case .success(let head)? = answer {
      #expect(head.status == status)
    } else {
      #expect(status == nil && kind(answer) == .broken)
    }
  }

  @Test func `of a GET the head is taken, and no more`() {
    let server = ScriptedServer { request in
      Reply(Self.sized(request) + String(repeating: "x", count: 1))
    }
    let asker = Asker()
    for i in 0..<5 {
      asker.ask(i, "\(server.url)/\(i < 3 ? 1 : 100_000)", .get)
      #expect(length(asker.wait(for: i + 1).last?.1) == (i < 3 ? 1 : 100_000))
    }
  }
}
