internal import Primitives
internal import Synchronization

/// A pool of threads that wait for several servers: each server's jobs take a part of the threads at most, and the
/// rest of them wait in a line of their own.
package final class FairPool<Context: ~Copyable>: Sendable {
  package typealias Job = ThreadPool<Context>.Job

  private struct Lane {
    /// Jobs that a thread has, or that wait for one.
    var running = 0
    /// None while `running` is below the limit.
    var waiting = RingBuffer<Job>()
  }

  private let pool: ThreadPool<Context>
  private let limit: Int
  private let lineLimit: Int
  private let lanes = Mutex<[ObjectIdentifier: Lane]>([:])

  /// - Parameters:
  ///   - limit: threads of one server at most, 1 or more.
  ///   - lineLimit: jobs that wait for one server at most.
  package init(_ pool: ThreadPool<Context>, limit: Int, lineLimit: Int = 1 << 16) {
    self.pool = pool
    self.limit = limit
    self.lineLimit = lineLimit
  }

  /// Hands in a job that waits for no server; see `ThreadPool`.
  package func submit(_ job: @escaping Job) -> Bool { pool.submit(job) }

  /// Hands in a job that waits for this server.
  ///
  /// - Returns: `false` when the pool or the server's line takes no more; the job will not run.
  package func submit(for server: ObjectIdentifier, _ job: @escaping Job) -> Bool {
    // In one step: a job may wait only behind one that has a thread, or will have one.
    lanes.withLock { lanes in
      if lanes[server, default: Lane()].running < limit {
        guard start(job, for: server) else { return false }
        lanes[server, default: Lane()].running += 1
      } else {
        guard lanes[server, default: Lane()].waiting.count < lineLimit else { return false }
        lanes[server, default: Lane()].waiting.append(job)
      }
      return true
    }
  }

  package var load: ThreadPoolLoad {
    let waiting = lanes.withLock { $0.values.reduce(0) { $0 + $1.waiting.count } }
    let load = pool.load
    return ThreadPoolLoad(busy: load.busy, waiting: load.waiting + waiting, limit: load.limit)
  }

  package func close() { pool.close() }

  private func start(_ job: @escaping Job, for server: ObjectIdentifier) -> Bool {
    pool.submit { [self] context in
      job(&context)
      // The next one goes to the end of all servers' line; a pool that is closed has none.
      while let next = next(of: server) {
        if start(next, for: server) { return }
        next(&context)
      }
    }
  }

  /// A job has ended: another of its server takes its place, or none.
  private func next(of server: ObjectIdentifier) -> Job? {
    lanes.withLock { lanes in
      if let job = lanes[server]?.waiting.popFirst() { return job }
      lanes[server]?.running -= 1
      if lanes[server]?.running == 0 { lanes[server] = nil }
      return nil
    }
  }
}
