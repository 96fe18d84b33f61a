import TestSupport
import Testing

@testable import Threading

@Suite struct FairPoolTests {
  private final class Server: Sendable {}

  private let one = Server()
  private let other = Server()

  private func pool(threads: Int, queue: Int, limit: Int) -> FairPool<Void> {
    FairPool(ThreadPool(name: "fair", threadLimit: threads, queueLimit: queue) { () }, limit: limit)
  }

  @Test func `a slow server leaves threads to others, and its own jobs run in turn`() {
    let pool = pool(threads: 2, queue: 10, limit: 1)
    let (isSlow, ran) = (Monitor(true), Monitor<[String]>([]))
    for i in 1...3 {
      #expect(
        pool.submit(for: ObjectIdentifier(one)) { _ in
          _ = isSlow.wait(for: patience) { $0 ? nil : () }
          ran.update { $0.append("one \(i)") }
        })
    }
    #expect(pool.submit(for: ObjectIdentifier(other)) { _ in ran.update { $0.append("other") } })
    #expect(ran.wait(for: patience) { $0 == ["other"] ? true : nil } == true)
    isSlow.update { $0 = false }
    #expect(
      ran.wait(for: patience) { $0.count == 4 ? $0 : nil } == ["other", "one 1", "one 2", "one 3"])
  }

  @Test func `what a full pool took runs, and what it refused does not`() {
    let (one, pool) = (one, pool(threads: 1, queue: 1, limit: 1))
    let taken = Monitor(0)
    let ran = Monitor(0)
    // Another server's jobs fill the pool.
    let isFull = Monitor(true)
    for _ in 0..<2 {
      let isTaken = pool.submit { _ in _ = isFull.wait(for: patience) { $0 ? nil : () } }
      #expect(isTaken)
    }
    let threads = (0..<4).compactMap { _ in
      Thread.start("submit") {
        for _ in 0..<2000 {
          if pool.submit(for: ObjectIdentifier(one), { _ in ran.update { $0 += 1 } }) {
            taken.update { $0 += 1 }
          }
        }
      }
    }
    #expect(threads.count == 4)
    for thread in threads { thread.join() }
    isFull.update { $0 = false }
    let wanted = taken.withLock { $0 }
    #expect(ran.wait(for: patience) { $0 == wanted ? true : nil } == true)
  }
}
