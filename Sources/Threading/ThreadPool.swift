internal import Primitives

/// Threads that may block, each with a context of its own, and a bounded queue before them.
///
/// Threads are started when work finds none idle, up to the limit. A few stay: what they hold (a warm
/// connection) is worth keeping; those that a burst has brought end when they were idle for long. Work
/// beyond the queue's bound is refused at once, so that a slow server behind the pool costs its callers
/// nothing.
package final class ThreadPool<Context: ~Copyable>: Sendable {
  package typealias Job = @Sendable (inout Context) -> Void

  private struct State {
    var jobs: RingBuffer<(id: UInt64, run: Job)>
    var lastID: UInt64 = 0
    var threads = 0
    var idle = 0
    var isClosed = false
  }

  private let name: String
  private let threadLimit: Int
  private let queueLimit: Int
  private let idleLife: Duration
  private let makeContext: @Sendable () -> Context
  private let state: Monitor<State>

  /// - Parameters:
  ///   - threadLimit: threads at most, 1 or more.
  ///   - queueLimit: jobs that may wait when all threads are busy.
  ///   - idleLife: how long a thread waits for a job before it ends, unless it is one of the last few.
  ///   - makeContext: called on each new thread.
  package init(
    name: String, threadLimit: Int, queueLimit: Int, idleLife: Duration = .seconds(20),
    makeContext: @escaping @Sendable () -> Context
  ) {
    self.name = name
    self.threadLimit = threadLimit
    self.queueLimit = queueLimit
    self.idleLife = idleLife
    self.makeContext = makeContext
    state = Monitor(State(jobs: RingBuffer()))
  }

  /// Hands a job to the pool.
  ///
  /// - Parameter queueLimit: jobs that may wait, this one included, instead of the pool's own limit.
  /// - Returns: `false` when threads and queue are full, or the pool is closed; the job will not run.
  package func submit(queueLimit: Int? = nil, _ job: @escaping Job) -> Bool {
    let queueLimit = queueLimit ?? self.queueLimit
    let outcome: Submission = state.updateForOne { state in
      guard !state.isClosed else { return .refused }
      state.lastID += 1
      let job = (id: state.lastID, run: job)
      if state.jobs.count < state.idle {
        state.jobs.append(job)
        return .queued
      }
      if state.threads < threadLimit {
        state.threads += 1
        // It is about to look for work, so its job does not wait for a busy one.
        state.idle += 1
        state.jobs.append(job)
        return .needsThread(job.id)
      }
      guard state.jobs.count - state.idle < queueLimit else { return .refused }
      state.jobs.append(job)
      return .queued
    }
    switch outcome {
    case .refused: return false
    case .queued: return true
    case .needsThread(let id):
      guard let thread = Thread.start(name, { self.run() }) else { return keep(id) }
      thread.detach()
      return true
    }
  }

  /// How much there is to do now.
  package var load: ThreadPoolLoad {
    state.withLock { state in
      // Who is idle has been called for the first jobs of the queue.
      let called = min(state.idle, state.jobs.count)
      return ThreadPoolLoad(
        busy: state.threads - state.idle + called, waiting: state.jobs.count - called,
        limit: threadLimit)
    }
  }

  /// No more jobs are taken; threads end when the queue is empty.
  package func close() {
    state.update { $0.isClosed = true }
  }

  /// The system gave no thread: the job waits for one that is there, and is taken back if there is none.
  private func keep(_ id: UInt64) -> Bool {
    state.withLock { state in
      state.threads -= 1
      state.idle -= 1
      guard state.threads == 0 else { return true }
      // Other jobs may wait behind it; a later thread takes them.
      return !state.jobs.remove(where: { $0.id == id })
    }
  }

  private func run() {
    var context = makeContext()
    while let job = nextJob() {
      job(&context)
      state.withLock { $0.idle += 1 }
    }
  }

  private func nextJob() -> Job? {
    while true {
      let job: Job?? = state.wait(for: idleLife) { state in
        if let job = state.jobs.popFirst() {
          state.idle -= 1
          return .some(job.run)
        }
        return state.isClosed ? .some(nil) : nil
      }
      if let job { return job }
      if isOneTooMany() { return nil }
    }
  }

  /// Takes the calling thread, which was idle for long, off the books, if it is not needed.
  private func isOneTooMany() -> Bool {
    state.withLock { state in
      // A job that came meanwhile may have been left to this thread.
      guard state.jobs.count == 0, state.threads > keptThreads else { return false }
      state.threads -= 1
      state.idle -= 1
      return true
    }
  }
}

/// Threads of a pool that stay, however long they are idle.
private let keptThreads = 4

/// How busy a pool is.
package struct ThreadPoolLoad: Sendable, Equatable {
  /// Threads that work.
  package let busy: Int
  /// Jobs for which there is no thread.
  package let waiting: Int
  /// Threads at most.
  package let limit: Int
}

/// What became of a job that was handed in.
private enum Submission {
  case refused, queued
  /// The job waits for a thread that is yet to be started.
  case needsThread(UInt64)
}
