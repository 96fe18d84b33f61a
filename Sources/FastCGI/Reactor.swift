internal import CLinux
internal import Glibc
internal import Synchronization
internal import Threading

/// What the connections of one loop share: who answers, how patient we are, and buffers that are in use for
/// an instant only.
@safe
final class Reactor: @unchecked Sendable {
  // @unchecked: but for `count`, touched by the loop's thread only.

  let loop: EventLoop
  let handler: any RequestHandler
  let limits: ConnectionLimits
  /// How many connections the process can have.
  let connectionLimit: Int
  /// What is read is looked at before anybody else reads.
  let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
  /// Where bytes go that were looked at before.
  let waste = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
  /// Whether the last request that was read waits for its answer, or had to.
  var isAnswerLate = false
  /// Whether bytes in `input` are being taken.
  var isInputInUse = false
  private var spare: [UInt8] = []
  /// In which heads are made, one after the other.
  private var headBuffer: [UInt8] = []
  private var connections: [ObjectIdentifier: Connection] = [:]
  private(set) var isStopping = false
  /// Open connections, for those who wait until there is none.
  private let count = Monitor(0)

  init(on loop: EventLoop, handler: any RequestHandler, limits: ConnectionLimits) {
    self.loop = loop
    self.handler = handler
    self.limits = limits
    var limit = rlimit()
    connectionLimit =
      unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
      ? Int(min(limit.rlim_cur, 1 << 20)) : 1024
    spare.reserveCapacity(4096)
  }

  deinit {
    unsafe input.deallocate()
    unsafe waste.deallocate()
  }

  /// Takes a new connection in, and reads what is there.
  func add(_ descriptor: Int32) {
    let connection = Connection(descriptor, self)
    connections[ObjectIdentifier(connection)] = connection
    count.update { $0 += 1 }
    loop.watch(descriptor, for: .input, connection)
  }

  func forget(_ connection: Connection) {
    connections[ObjectIdentifier(connection)] = nil
    count.update { $0 -= 1 }
  }

  /// Lets no connection bring another request; what is there already is answered.
  func stopReading() {
    isStopping = true
    for connection in connections.values where connection.isIdle { connection.read() }
  }

  /// Waits until no connection is open.
  ///
  /// - Returns: `false` when the time was over first.
  func waitUntilNone(for limit: Duration) -> Bool {
    count.wait(for: limit) { $0 == 0 ? true : nil } ?? false
  }

  /// - Returns: empty, with room unless it is lent already.
  func lendHeadBuffer() -> [UInt8] {
    var buffer: [UInt8] = []
    swap(&buffer, &headBuffer)
    return buffer
  }

  func takeBackHeadBuffer(_ buffer: consuming [UInt8]) {
    guard buffer.capacity <= 16 << 10 else { return }
    buffer.removeAll(keepingCapacity: true)
    headBuffer = buffer
  }

  /// An answer that goes out at once needs no buffer of its connection's own.
  func lendBuffer(to output: inout OutputQueue) {
    guard output.tail.isEmpty, output.tail.capacity == 0 else { return }
    swap(&output.tail, &spare)
  }

  func takeBuffer(back output: inout OutputQueue) {
    guard output.tail.capacity > spare.capacity, output.tail.capacity <= 128 << 10 else {
      output.tail = []
      return
    }
    spare = []
    swap(&output.tail, &spare)
  }
}

/// How patient we are with a web server.
package struct ConnectionLimits: Sendable {
  /// For the rest of a request whose beginning is there.
  package var read: Duration
  /// For room to write, when none comes: a web server that passes a body to a slow client makes us wait.
  package var write: Duration
  /// Between signs of life, while an answer has not begun.
  package var silence: Duration

  package init(
    read: Duration = .seconds(5), write: Duration = .seconds(300), silence: Duration = .seconds(1)
  ) {
    self.read = read
    self.write = write
    self.silence = silence
  }
}
