import Foundation
import HTTPTransport
import TestSupport
import Testing

struct HTTPClientTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let pieces: [String]
    var end = Reply.End.close
    var method = HTTPRequest.Method.get
    var limits = HTTPLimits(head: .seconds(2), idle: .milliseconds(300))
    var status = 200
    var body = ""
    var failure: TransportError.Kind?
    var testDescription: String { "\(pieces.map { $0.prefix(70) })" }
  }

  static let ok = "HTTP/1.1 200 OK\r\n"

  private func check(_ c: Case, attempts: Int = 20) {
    let server = ScriptedServer { _ in Reply(pieces: c.pieces, c.end) }
    var http = HTTPClient()
    do throws(TransportError) {
      let response = try http.send(
        HTTPRequest(c.method, server.url, limits: c.limits), bodyLimit: 1 << 20)
      #expect(c.failure == nil)
      #expect(response.head.status == c.status)
      #expect(String(decoding: response.body, as: UTF8.self) == c.body)
    } catch {
      // A busy machine may have made no connection when the time is over; that is another failure.
      if error.kind == .connect, server.requests.isEmpty, attempts > 1 {
        return check(c, attempts: attempts - 1)
      }
      #expect(error.kind == c.failure, "\(error)")
    }
  }

  static let whole = [
    Case(pieces: [ok + "Content-Length: 3\r\n\r\nabc"], body: "abc"),
    Case(pieces: [ok + "\r\nabc"], body: "abc"),
    Case(
      pieces: [ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n"],
      body: "abc"),
    Case(
      pieces: [
        ok + "Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n"
      ],
      body: "abc"),
    Case(pieces: ["HTTP/1.1 100 Continue\r\n\r\n" + ok + "Content-Length: 1\r\n\r\na"], body: "a"),
    Case(
      pieces: [
        "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 103 x\r\n\r\n" + ok
          + "Content-Length: 1\r\n\r\na"
      ], body: "a"),
    Case(pieces: (ok + "X-A: b\r\nContent-Length: 3\r\n\r\nabc").map { String($0) }, body: "abc"),
    Case(pieces: ["HTTP/1.1 307 x\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n"], status: 307),
    Case(pieces: [ok + "Content-Length: 5000\r\n\r\n"], method: .head),
    Case(pieces: [ok + "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"], body: "abc"),
    Case(pieces: ["HTTP/1.1 204 x\r\n\r\n"], status: 204),
  ].map { c in
    var c = c
    c.limits = .patient
    return c
  }

  @Test(arguments: whole) func `a whole response comes as it is`(c: Case) { check(c) }

  @Test(
    arguments: [
      Case(pieces: [ok + "Content-Length: 5\r\n\r\nabc"], failure: .broken),
      Case(pieces: [ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nabc"], failure: .broken),
      Case(pieces: [ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"], failure: .broken),
      Case(pieces: [ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc"], failure: .broken),
      Case(pieces: [], failure: .broken), Case(pieces: ["SSH-2.0-x\r\n\r\n"], failure: .broken),
      Case(pieces: ["HTTP/1.1 2"], failure: .broken),
      Case(
        pieces: [ok + "X: \(String(repeating: "x", count: 70_000))\r\n\r\n"], failure: .broken),
      Case(
        pieces: [
          ok + String(repeating: "X: \(String(repeating: "x", count: 1000))\r\n", count: 70)
            + "\r\n"
        ],
        failure: .broken),
    ].map { c in
      var c = c
      c.limits = .patient
      return c
    })
  func `a response that is not whole is broken`(c: Case) { check(c) }

  @Test(arguments: [
    Case(pieces: [], end: .stall, failure: .timeout),
    Case(pieces: [], end: .stall, method: .head, failure: .timeout),
    Case(pieces: [ok + "X: "], end: .stall, failure: .timeout),
    Case(pieces: [ok + "Content-Length: 5\r\n\r\nabc"], end: .stall, failure: .timeout),
    Case(pieces: ["HTTP/1.1 100 Continue\r\n\r\n"], end: .stall, failure: .timeout),
  ])
  func `a server that stops is given up`(c: Case) { check(c) }

  /// A byte every 2 ms.
  static let drip = Reply(
    pieces: ["HTTP/1.1 200 OK\r\n\r\n"] + Array(repeating: "x", count: 5000), .close)

  @Test(arguments: [
    HTTPLimits(idle: .milliseconds(300), minimumProgress: 64 << 10),
    HTTPLimits(total: .milliseconds(300)),
  ])
  func `a server that drips is given up`(limits: HTTPLimits) {
    for body in [HTTPBody.none, .bytes([1])] {
      // A busy machine may have made no connection when the time is over; that is another failure.
      let failures = (0..<20).lazy.map { _ in
        let server = ScriptedServer { _ in Self.drip }
        let request = HTTPRequest(
          body.count > 0 ? .put : .get, server.url, body: body, limits: limits)
        var http = HTTPClient()
        let error = #expect(throws: TransportError.self) { try http.send(request, bodyLimit: 9000) }
        return (kind: error?.kind, isConnected: !server.requests.isEmpty)
      }
      #expect(failures.first { $0.kind != .connect || $0.isConnected }?.kind == .timeout)
    }
  }

  @Test func `nobody there is no connection`() {
    var http = HTTPClient()
    let error = #expect(throws: TransportError.self) {
      try http.send(HTTPRequest(.get, "http://127.0.0.1:1"), bodyLimit: 1)
    }
    #expect(error?.kind == .connect)
  }

  @Test func `time that runs out before there is a connection is no answer that failed to come`() {
    let server = ScriptedServer { _ in Reply(pieces: [], .stall) }
    var http = HTTPClient()
    let limits = [
      HTTPLimits(connect: .milliseconds(300)), HTTPLimits(head: .milliseconds(300)),
      HTTPLimits(total: .milliseconds(300)),
    ]
    for limits in limits {
      // Its TLS never begins.
      let request = HTTPRequest(.get, "https://127.0.0.1:\(server.port)/", limits: limits)
      let error = #expect(throws: TransportError.self) { try http.send(request, bodyLimit: 1) }
      #expect(error?.kind == .connect, "\(limits)")
    }
  }

  @Test(arguments: ["http://", "ftp://127.0.0.1/", "file:///etc/passwd", "http://127.0.0.1:99999/"])
  func `only http is spoken`(url: String) {
    var http = HTTPClient()
    let error = #expect(throws: TransportError.self) {
      try http.send(HTTPRequest(.get, url), bodyLimit: 1)
    }
    #expect(error?.kind == .invalid)
  }

  @Test(arguments: ["a\r\nX: y", "a\n", "a\rb", "a\0b"])
  func `a value that could end its line is not sent`(value: String) {
    let server = ScriptedServer { _ in Reply(Self.ok + "\r\n", .close) }
    var http = HTTPClient()
    let error = #expect(throws: TransportError.self) {
      try http.send(
        HTTPRequest(
          .get, server.url, fields: [HTTPField("X", value)], limits: .patient), bodyLimit: 1)
    }
    #expect(error?.kind == .invalid)
    #expect(server.accepts == 0)
  }

  @Test func `nothing is sent but what was given`() throws {
    let server = ScriptedServer { _ in Reply(Self.ok + "Content-Length: 0\r\n\r\n") }
    var http = HTTPClient()
    _ = try http.send(
      HTTPRequest(
        .get, server.url + "/a/../b%2Fc?d",
        fields: [HTTPField("X-Empty", ""), HTTPField("Y", "z")],
        limits: .patient), bodyLimit: 1)
    #expect(
      server.requests[0].lines == [
        "GET /a/../b%2Fc?d HTTP/1.1", "Host: 127.0.0.1:\(server.port)", "X-Empty:", "Y: z",
      ])
  }

  @Test func `a connection is used again`() throws {
    let server = ScriptedServer { _ in Reply(Self.ok + "Content-Length: 1\r\n\r\na") }
    var http = HTTPClient()
    for _ in 0..<5 {
      _ = try http.send(HTTPRequest(.get, server.url, limits: .patient), bodyLimit: 1)
    }
    #expect(server.requests.count == 5)
    #expect(server.accepts == 1)
  }

  @Test(arguments: [HTTPRequest.Method.put, .post]) func `a body goes out whole`(
    method: HTTPRequest.Method
  ) throws {
    let server = ScriptedServer { _ in Reply(Self.ok + "Content-Length: 0\r\n\r\n") }
    let bytes = (0..<700_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let url = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try Data(bytes).write(to: url)
    defer { try? FileManager.default.removeItem(at: url) }
    let file = try FileHandle(forReadingFrom: url)
    var http = HTTPClient()
    let bodies: [(HTTPBody, ArraySlice<UInt8>)] = [
      (.none, []), (.bytes(bytes), bytes[...]),
      (.file(descriptor: file.fileDescriptor, offset: 1000, count: 600_000), bytes[1000..<601_000]),
    ]
    for (body, _) in bodies {
      _ = try http.send(
        HTTPRequest(method, server.url, body: body, limits: .patient), bodyLimit: 1)
    }
    #expect(server.requests.map(\.body) == bodies.map { Array($0.1) })
    #expect(
      server.requests.allSatisfy {
        $0.lines[0].hasPrefix("\(method.rawValue) ") && !$0.has("Expect")
      })
    let error = #expect(throws: TransportError.self) {
      try http.send(
        HTTPRequest(
          method, server.url,
          body: .file(descriptor: file.fileDescriptor, offset: 699_990, count: 100),
          limits: .patient), bodyLimit: 1)
    }
    #expect(error?.kind == .invalid)
  }

  @Test(arguments: [403, 503]) func `an early refusal of an upload is heard`(status: Int) throws {
    let server = ScriptedServer(early: true) { _ in
      Reply("HTTP/1.1 \(status) x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno", .stall)
    }
    var http = HTTPClient()
    let response = try http.send(
      HTTPRequest(
        .put, server.url, body: .bytes([UInt8](repeating: 1, count: 8 << 20)),
        limits: .patient), bodyLimit: 10)
    #expect(response.head.status == status)
  }

  @Test func `a receiver that wants no more stops`() {
    final class Unwilling: HTTPReceiver {
      func receive(head: HTTPResponseHead) -> Bool { false }
      func receive(body: Span<UInt8>) -> Bool {
        Issue.record("a body after a stop")
        return false
      }
    }
    let server = ScriptedServer { _ in Reply(Self.ok + "Content-Length: 1000\r\n\r\na", .stall) }
    var http = HTTPClient()
    let error = #expect(throws: TransportError.self) {
      try http.stream(HTTPRequest(.get, server.url, limits: .patient), to: Unwilling())
    }
    #expect(error?.kind == .stopped)
  }

  @Test func `a body over the limit is refused`() {
    let server = ScriptedServer { _ in Reply(Self.ok + "Content-Length: 4\r\n\r\nabcd") }
    var http = HTTPClient()
    #expect(throws: TransportError.self) {
      try http.send(HTTPRequest(.get, server.url, limits: .patient), bodyLimit: 3)
    }
  }

  /// libcurl 7.88 keeps the buffer of a transfer that never began, and lets nobody change its size.
  @Test func `a name that is not found harms no later request`() throws {
    let server = ScriptedServer { _ in Reply(Self.ok + "Content-Length: 1\r\n\r\na") }
    var http = HTTPClient()
    // A label too long for any name: it is refused without a question to a server.
    let nowhere = "http://\(String(repeating: "a", count: 64)).invalid/"
    for _ in 0..<2 {
      let error = #expect(throws: TransportError.self) {
        try http.send(HTTPRequest(.get, nowhere, limits: .patient), bodyLimit: 10)
      }
      #expect(error?.kind == .connect, "\(error.debugDescription)")
      let response = try http.send(
        HTTPRequest(.get, server.url, limits: .patient), bodyLimit: 10)
      #expect(response.head.status == 200)
    }
  }
}
