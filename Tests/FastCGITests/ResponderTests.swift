import Foundation
import TestSupport
import Testing
import Threading

@testable import FastCGI

/// Answers with the path; some paths do more.
private final class Handler: RequestHandler {
  let held = Monitor<[Request]>([])

  func handle(_ request: Request) {
    let path = String(decoding: request.parameter("REQUEST_URI") ?? [], as: UTF8.self)
    switch path {
    case "/hold": held.update { $0.append(request) }
    case "/abort":
      request.begin(ResponseHead(status: 200))
      _ = request.keepAlive()
      request.abort()
    case "/drop": break
    case "/alive":
      _ = request.keepAlive()
      request.answer(ResponseHead(status: 200), body: Array("alive".utf8))
    case "/much":
      request.answer(ResponseHead(status: 200), body: [UInt8](repeating: 1, count: 16 << 20))
    case "/file":
      guard let file = FileHandle(forReadingAtPath: "/proc/self/exe") else { return }
      request.begin(ResponseHead(status: 200))
      if request.send(file: file.fileDescriptor, file, offset: 5, count: 200_000) {
        request.finish()
      }
    default: request.answer(ResponseHead(status: 200), body: Array(path.utf8))
    }
  }

  func waitForHeld() -> Bool { held.wait(for: patience) { $0.isEmpty ? nil : true } ?? false }
  func release() {
    for request in held.withLock({ held in
      defer { held = [] }
      return held
    }) { request.answer(ResponseHead(status: 200), body: Array("late".utf8)) }
  }
}

@Suite(.serialized) struct ResponderTests {
  private let handler = Handler()
  private let responder: Responder
  private let port: UInt16

  init() throws {
    let listener = try Listener(.tcp(host: "", port: 0))
    port = listener.port ?? 0
    responder = Responder(
      listener, on: EventLoop(),
      limits: ConnectionLimits(read: patience * 10, write: patience * 10), handler: handler)
    #expect(responder.start())
  }

  private func connect() throws -> FastCGIClient { try #require(FastCGIClient(port: port)) }
  private func stop() { #expect(responder.stop(within: patience)) }

  @Test func `idle kept connections cost no thread`() throws {
    let clients = try (0..<64).map { _ in try connect() }
    for round in 0..<3 {
      for (i, client) in clients.enumerated() {
        #expect(client.ask("/\(round)/\(i)").text.hasSuffix("\r\n\r\n/\(round)/\(i)"))
      }
    }
    stop()
    #expect(clients.allSatisfy { $0.socket.receive().isEmpty })
  }

  @Test func `a request that comes byte by byte holds nobody up`() throws {
    let slow = try connect()
    let quick = try connect()
    let bytes = FastCGIClient.request([("REQUEST_URI", "/slow")])
    for byte in bytes.dropLast() {
      slow.socket.send([byte])
      #expect(quick.ask("/quick").text.hasSuffix("/quick"))
    }
    slow.socket.send([bytes.last!])
    #expect(slow.answer().text.hasSuffix("/slow"))
    stop()
  }

  @Test func `a thousand connections with the beginning of a request hold nobody up`() throws {
    var limit = rlimit()
    let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #expect(unsafe getrlimit(kind, &limit) == 0)
    limit.rlim_cur = max(limit.rlim_cur, min(limit.rlim_max, 8192))
    #expect(unsafe setrlimit(kind, &limit) == 0)
    let beginnings = try (0..<1000).map { _ in try connect() }
    let bytes = FastCGIClient.request([("REQUEST_URI", "/slow")])
    for client in beginnings { client.socket.send(Array(bytes.prefix(9))) }
    let (whole, cut) = (try connect(), try connect())
    cut.socket.send(Array(bytes.prefix(20)))
    #expect(whole.ask("/whole").text.hasSuffix("/whole"))
    cut.socket.send(Array(bytes.dropFirst(20)))
    #expect(cut.answer().text.hasSuffix("/slow"))
    stop()
  }

  @Test func `the beginning of a request is not waited for without end`() throws {
    let listener = try Listener(.tcp(host: "", port: 0))
    let client = try #require(FastCGIClient(port: listener.port ?? 0))
    let responder = Responder(
      listener, on: EventLoop(), limits: ConnectionLimits(read: .milliseconds(50)), handler: handler
    )
    #expect(responder.start())
    client.socket.send(Array(FastCGIClient.request([("A", "b")]).prefix(9)))
    #expect(client.socket.receive().isEmpty)
    #expect(responder.stop(within: patience))
    stop()
  }

  @Test(arguments: [true, false])
  func `nobody waits for a body that nobody wants`(isKept: Bool) throws {
    let client = try connect()
    let bytes = FastCGIClient.request(
      [("REQUEST_URI", "/x"), ("CONTENT_LENGTH", "700")], body: [UInt8](repeating: 1, count: 700),
      keep: isKept)
    client.socket.send(Array(bytes.dropLast(600)))
    let answer = client.answer()
    #expect(answer.isEnded && answer.text.hasSuffix("/x"))
    client.socket.send(Array(bytes.suffix(600)))
    if isKept {
      #expect(client.ask("/y").text.hasSuffix("/y"))
    } else {
      #expect(client.socket.receive().isEmpty)
    }
    stop()
  }

  /// The body's end comes with the request, behind the answer, and in two pieces behind it.
  @Test(arguments: [[0], [600], [600, 300]])
  func `a connection that is not kept ends with the body`(cuts: [Int]) throws {
    let listener = try Listener(.tcp(host: "", port: 0))
    let client = try #require(FastCGIClient(port: listener.port ?? 0))
    let responder = Responder(
      listener, on: EventLoop(), limits: ConnectionLimits(read: patience * 10), handler: handler)
    #expect(responder.start())
    let bytes = FastCGIClient.request(
      [("REQUEST_URI", "/x")], body: [UInt8](repeating: 1, count: 700), keep: false)
    client.socket.send(Array(bytes.dropLast(cuts[0])))
    #expect(client.answer().text.hasSuffix("/x"))
    for (i, cut) in cuts.enumerated() where cut > 0 {
      let rest = i + 1 < cuts.count ? cuts[i + 1] : 0
      client.socket.send(Array(bytes.suffix(cut).dropLast(rest)))
    }
    #expect(client.socket.hasEnded)
    #expect(responder.stop(within: patience))
    stop()
  }

  /// Bytes that are unread at the end would reset the connection, and the answer could be lost.
  @Test(arguments: ["/x", "/abort"])
  func `a connection that ends with a request is not reset`(path: String) throws {
    let client = try connect()
    _ = client.ask(path, keep: false)
    #expect(client.socket.hasEnded)
    stop()
  }

  /// Taken out before, it would wake the web server.
  @Test func `a request stays in the socket until its answer is out`() throws {
    let path = "/tmp/bloblo-\(UUID())"
    let responder = Responder(
      try Listener(.unix(path: path)), on: EventLoop(), limits: ConnectionLimits(silence: patience),
      handler: handler)
    #expect(responder.start())
    let clients = try (0..<3).map { _ in FastCGIClient(try #require(TestSocket(unix: path))) }
    for client in clients {
      client.socket.send(FastCGIClient.request([("REQUEST_URI", "/hold")]))
      #expect(handler.waitForHeld())
    }
    #expect(handler.held.wait(for: patience) { $0.count == 3 ? true : nil } ?? false)
    // The first one may have come in one event with its connection.
    #expect(clients.dropFirst().allSatisfy { $0.socket.hasUnread })
    handler.release()
    for client in clients {
      #expect(client.answer().text.hasSuffix("late"))
      #expect(client.ask("/next", keep: false).text.hasSuffix("/next"))
      #expect(client.socket.hasEnded)
    }
    #expect(responder.stop(within: patience))
    stop()
  }

  @Test func `nothing but what is meant stands in our records`() throws {
    let client = try connect()
    client.socket.send(FastCGIClient.record(9, [15, 0] + Array("FCGI_MPXS_CONNS".utf8), id: 0))
    #expect(
      client.socket.receive(exactly: 26)
        == [1, 10, 0, 0, 0, 18, 0, 0, 15, 1] + Array("FCGI_MPXS_CONNS0".utf8))
    client.socket.send(FastCGIClient.request([("REQUEST_URI", "/x")]))
    let records = client.answer().records
    #expect(records.last == FastCGIClient.Record(type: 3, content: [UInt8](repeating: 0, count: 8)))
    stop()
  }

  @Test func `a web server that takes nothing holds nobody up`() throws {
    let lazy = try connect()
    lazy.socket.send(FastCGIClient.request([("REQUEST_URI", "/much")]))
    let quick = try connect()
    #expect(quick.ask("/quick").text.hasSuffix("/quick"))
    #expect(lazy.answer().output.count > 16 << 20)
    stop()
  }

  /// Each of these records is answered at once.
  @Test func `who takes no answers is not heard for ever`() throws {
    var deaf: FastCGIClient? = try connect()
    let records = [[UInt8]](repeating: FastCGIClient.record(99, [], id: 0), count: 8192)
    let bytes = Array(records.joined())
    var sent = 0
    while let socket = deaf?.socket, socket.isWritable(within: .seconds(2)), sent < 32 << 20 {
      sent += socket.sendNow(bytes)
      if sent & 0xF_FFFF == 0 { #expect(try connect().ask("/quick").text.hasSuffix("/quick")) }
    }
    #expect(sent < 32 << 20)
    #expect(try connect().ask("/quick").text.hasSuffix("/quick"))
    deaf = nil
    stop()
  }

  @Test func `hostile bytes end their own connection only`() throws {
    try hostile(port)
    stop()
  }

  @Test func `hostile bytes on descriptors that select can't take`() throws {
    var limit = rlimit()
    let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #expect(unsafe getrlimit(kind, &limit) == 0)
    limit.rlim_cur = max(limit.rlim_cur, min(limit.rlim_max, 4096))
    #expect(unsafe setrlimit(kind, &limit) == 0)
    let taken = (0..<1100).map { _ in unsafe open("/dev/null", O_RDONLY | O_CLOEXEC) }
    defer { for descriptor in taken { close(descriptor) } }
    try #require(taken.contains { $0 > 1024 })
    // It knows of the limit from its start.
    let listener = try Listener(.tcp(host: "", port: 0))
    let port = listener.port ?? 0
    let responder = Responder(listener, on: EventLoop(), handler: handler)
    #expect(responder.start())
    try hostile(port)
    #expect(responder.stop(within: patience))
    stop()
  }

  private func hostile(_ port: UInt16) throws {
    var seed: UInt64 = 42
    func next() -> UInt8 {
      seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return UInt8(truncatingIfNeeded: seed >> 33)
    }
    let good = try #require(FastCGIClient(port: port))
    for round in 0..<200 {
      var bytes = FastCGIClient.request([("REQUEST_URI", "/x"), ("A", "b")], body: [1, 2])
      if round % 3 == 0 {
        bytes = (0..<Int(next())).map { _ in next() }
      } else {
        bytes[Int(next()) % 16] = next()
      }
      let bad = try #require(FastCGIClient(port: port))
      bad.socket.send(bytes)
      #expect(good.ask("/good").text.hasSuffix("/good"))
    }
  }

  @Test func `a connection that is not kept is closed`() throws {
    let client = try connect()
    #expect(client.ask("/x", keep: false).isEnded)
    #expect(client.socket.receive().isEmpty)
    stop()
  }

  @Test func `a body that nobody reads does not become a request`() throws {
    let client = try connect()
    let bytes = FastCGIClient.request(
      [("REQUEST_URI", "/x")], body: [UInt8](repeating: 1, count: 500_000))
    client.socket.send(bytes)
    #expect(client.answer().text.hasSuffix("/x"))
    #expect(client.ask("/y").text.hasSuffix("/y"))
    stop()
  }

  @Test(arguments: ["/abort", "/drop"]) func `an answer broken off has no end`(path: String) throws
  {
    let client = try connect()
    let answer = client.ask(path)
    #expect(!answer.isEnded)
    #expect(client.socket.receive().isEmpty)
    stop()
  }

  @Test func `a sign of life is an empty record of the error stream`() throws {
    let answer = try connect().ask("/alive")
    #expect(answer.records.first == FastCGIClient.Record(type: 7, content: []))
    #expect(answer.isEnded && answer.text.hasSuffix("alive"))
    stop()
  }

  @Test func `a request that waits for its answer gives signs of life until it begins`() throws {
    let client = try connect()
    client.socket.send(FastCGIClient.request([("REQUEST_URI", "/hold")]))
    #expect(handler.waitForHeld())
    for _ in 0..<2 { #expect(client.next() == FastCGIClient.Record(type: 7, content: [])) }
    handler.release()
    let late = client.answer()
    #expect(late.isEnded && late.text.hasSuffix("late"))
    #expect(client.ask("/next").records.allSatisfy { $0.type != 7 })
    stop()
  }

  @Test func `a file goes out whole, and the connection goes on`() throws {
    let client = try connect()
    let answer = client.ask("/file")
    let head = Array("Status: 200 OK\r\n\r\n".utf8)
    let file = try #require(FileHandle(forReadingAtPath: "/proc/self/exe"))
    try file.seek(toOffset: 5)
    #expect(answer.output == head + (try file.read(upToCount: 200_000) ?? Data()))
    #expect(client.ask("/y").text.hasSuffix("/y"))
    stop()
  }

  @Test func `a stop finishes what is in flight`() throws {
    let (busy, idle) = (try connect(), try connect())
    busy.socket.send(FastCGIClient.request([("REQUEST_URI", "/hold")]))
    #expect(handler.waitForHeld())
    #expect(idle.ask("/x").isEnded)
    let handler = handler
    let thread = try #require(
      Threading.Thread.start("release") {
        // Only once the stop has begun: it closes what is idle.
        _ = idle.socket.receive()
        handler.release()
      })
    stop()
    thread.join()
    #expect(busy.answer().text.hasSuffix("late"))
  }

  @Test func `an end that comes in one event with a request is seen`() throws {
    // A request and the end are there before anybody looks.
    let listener = try Listener(.tcp(host: "", port: 0))
    let client = try #require(FastCGIClient(port: listener.port ?? 0))
    client.socket.send(FastCGIClient.request([("REQUEST_URI", "/x")]))
    client.socket.endSending()
    let responder = Responder(listener, on: EventLoop(), handler: handler)
    #expect(responder.start())
    #expect(client.answer().text.hasSuffix("/x"))
    #expect(client.socket.hasEnded)
    #expect(responder.stop(within: patience))
    stop()
  }

  @Test func `a stop does not wait for ever`() throws {
    let busy = try connect()
    busy.socket.send(FastCGIClient.request([("REQUEST_URI", "/hold")]))
    #expect(handler.waitForHeld())
    #expect(!responder.stop(within: .milliseconds(100)))
    handler.release()
    #expect(busy.answer().isEnded)
  }
}
