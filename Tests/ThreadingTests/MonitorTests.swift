import Synchronization
import TestSupport
import Testing
import Threading

struct MonitorTests {
  @Test func `who waits is woken by an update`() throws {
    let state = Monitor(0)
    let thread = try #require(
      Thread.start("waker") { for _ in 0..<100 { state.update { $0 += 1 } } })
    #expect(state.wait(for: patience) { $0 == 100 ? $0 : nil } == 100)
    thread.join()
  }

  @Test func `all who wait are woken`() throws {
    let state = Monitor((go: false, done: 0))
    let threads = (0..<8).compactMap { _ in
      Thread.start("waiter") {
        let isWoken = state.wait(for: patience) { $0.go ? true : nil } ?? false
        if isWoken { state.update { $0.done += 1 } }
      }
    }
    state.update { $0.go = true }
    for thread in threads { thread.join() }
    #expect(state.withLock { $0.done } == 8)
  }

  @Test(arguments: [
    Duration.zero, .milliseconds(20), .seconds(-1), .milliseconds(-1), .nanoseconds(-999_999_999),
  ])
  func `a time that is over ends the wait`(limit: Duration) {
    let state = Monitor(0)
    let found: Int? = state.wait(for: limit) { _ in nil }
    #expect(found == nil)
  }

  @Test func `a wait may be as long as there is time`() {
    let state = Monitor(1)
    #expect(state.wait(for: .seconds(Int64.max)) { $0 } == 1)
  }

  @Test func `a throw leaves the lock`() {
    struct Oops: Error {}
    let state = Monitor(0)
    #expect(throws: Oops.self) { try state.update { _ throws(Oops) in throw Oops() } }
    #expect(state.withLock { $0 } == 0)
  }
}

struct ThreadPoolTests {
  /// Holds jobs until it opens.
  final class Gate: Sendable {
    let state = Monitor((isOpen: false, ran: 0, running: 0, most: 0))
    func pass() {
      state.update { state in
        state.running += 1
        state.most = max(state.most, state.running)
      }
      _ = state.wait(for: patience) { $0.isOpen ? true : nil } as Bool?
      state.update { state in
        state.running -= 1
        state.ran += 1
      }
    }
    func open() { state.update { $0.isOpen = true } }
    func wait(ran: Int) -> Bool {
      state.wait(for: patience) { $0.ran == ran ? true : nil } ?? false
    }
  }

  @Test(arguments: [(1, 0), (1, 1), (2, 1), (3, 4)])
  func `threads and queue are bounded`(threads: Int, queue: Int) {
    let gate = Gate()
    // The threads come up only once all is submitted: a job that waits for its own new thread is no
    // queued one.
    let pool = ThreadPool(name: "test", threadLimit: threads, queueLimit: queue) { gate.pass() }
    let taken = (0..<(threads + queue + 3)).map { _ in pool.submit { _ in gate.pass() } }
    #expect(taken.filter { $0 }.count == threads + queue)
    #expect(taken.prefix(threads + queue).allSatisfy { $0 })
    gate.open()
    #expect(gate.wait(ran: threads + queue + threads))
    #expect(gate.state.withLock { $0.most } <= threads)
    pool.close()
  }

  @Test func `a job has its thread's own context`() {
    let results = Monitor<[Int]>([])
    final class Made: Sendable {
      let count = Atomic(0)
    }
    let counter = Made()
    let pool = ThreadPool(name: "test", threadLimit: 1, queueLimit: 10) {
      counter.count.add(1, ordering: .relaxed).newValue * 100
    }
    for _ in 0..<5 {
      #expect(
        pool.submit { context in
          context += 1
          let value = context
          results.update { $0.append(value) }
        })
    }
    _ = results.wait(for: patience) { $0.count == 5 ? true : nil } as Bool?
    #expect(results.withLock { $0 } == [101, 102, 103, 104, 105])
    pool.close()
  }

  @Test func `threads of a burst end when they are idle, and a few stay`() {
    struct Held: ~Copyable {
      let count: Monitor<Int>
      init(_ count: Monitor<Int>) {
        self.count = count
        count.update { $0 += 1 }
      }
      deinit { count.update { $0 -= 1 } }
    }
    let held = Monitor(0)
    let pool = ThreadPool(
      name: "test", threadLimit: 12, queueLimit: 0, idleLife: .milliseconds(20)
    ) { Held(held) }
    // Once more, so that those that ended are not counted on.
    for _ in 0..<2 {
      let gate = Gate()
      for _ in 0..<12 { #expect(pool.submit { _ in gate.pass() }) }
      #expect(gate.state.wait(for: patience) { $0.running == 12 ? true : nil } ?? false)
      gate.open()
      #expect(gate.wait(ran: 12))
      #expect(held.wait(for: patience) { $0 == 4 ? true : nil } ?? false)
      #expect(eventually { pool.load.busy == 0 })
    }
    let gate = Gate()
    gate.open()
    for _ in 0..<4 { #expect(pool.submit { _ in gate.pass() }) }
    #expect(gate.wait(ran: 4))
    #expect(held.withLock { $0 } == 4)
    pool.close()
  }

  @Test func `what is queued at the close still runs, and no more is taken`() {
    let gate = Gate()
    let pool = ThreadPool(name: "test", threadLimit: 1, queueLimit: 2) { () }
    for _ in 0..<3 { #expect(pool.submit { _ in gate.pass() }) }
    pool.close()
    #expect(!pool.submit { _ in gate.pass() })
    gate.open()
    #expect(gate.wait(ran: 3))
  }
}
