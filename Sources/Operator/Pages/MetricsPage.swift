internal import Fill
internal import Gateway
internal import Offload
internal import Primitives
internal import S3
internal import Store
internal import System
internal import Telemetry
internal import Threading

/// `GET /bloblo/metrics`: names as Prometheus' conventions have them, units in seconds and bytes.
///
/// Source: <https://prometheus.io/docs/practices/naming/>
struct MetricsPage {
  let operation: Operation
  let now: UnixTime
  private var text = MetricsText()

  init(_ operation: Operation, now: UnixTime) {
    self.operation = operation
    self.now = now
  }

  mutating func render() -> String {
    decisions()
    times()
    fills()
    caches()
    dependencies()
    notices()
    program()
    return text.text
  }

  private mutating func decisions() {
    let metrics = operation.metrics
    text.begin(
      "bloblo_decisions_total", .counter, help: "Decisions on requests; passes with their reasons.")
    for (kind, value) in metrics.decisions.scraped() {
      text.sample("bloblo_decisions_total", ["decision": kind.word, "reason": ""], value: value)
    }
    for (kind, value) in metrics.passes.scraped() {
      text.sample(
        "bloblo_decisions_total", ["decision": "pass", "reason": kind.word], value: value)
    }
    text.begin(
      "bloblo_blob_bytes_total", .counter,
      help:
        "Bytes of blobs that GETs asked for, by the path they took; passed ones where the size is known, and accelerated ones but for what the web server could not read."
    )
    for (path, value) in metrics.bytes.scraped() {
      text.sample("bloblo_blob_bytes_total", ["path": path.word], value: value)
    }
    text.metric(
      "bloblo_object_mismatches_total", .counter,
      help:
        "Objects in the bucket that can't be their blob: of another size or content, or archived.",
      value: metrics.wrongObjects.value)
  }

  private mutating func times() {
    let metrics = operation.metrics
    text.histogram(
      "bloblo_decision_duration_seconds",
      help:
        "Time from the request to the decision on a blob; of those made from memory one in \(Metrics.sampling) is timed, for all.",
      metrics.decisionTime)
    text.histogram(
      "bloblo_upstream_check_duration_seconds",
      help: "Time that the registry took to allow or refuse a client.",
      metrics.upstreamTime)
    text.histogram(
      "bloblo_s3_head_duration_seconds", help: "Time that S3 took to answer a HEAD of an object.",
      metrics.storeTime)
    text.histogram(
      "bloblo_fill_duration_seconds", help: "Time from scheduling a fill to publishing its object.",
      metrics.fillTime)
  }

  private mutating func fills() {
    let (metrics, fills) = (operation.metrics, operation.filler.progress)
    text.begin("bloblo_fills", .gauge, help: "Fills in progress.")
    text.sample("bloblo_fills", ["state": "running"], value: Int64(fills.count { !$0.isWaiting }))
    text.sample("bloblo_fills", ["state": "waiting"], value: Int64(fills.count { $0.isWaiting }))
    text.begin(
      "bloblo_fills_completed_total", .counter,
      help: "Fills that ended with the blob in the bucket.")
    text.sample("bloblo_fills_completed_total", ["by": "this"], value: metrics.fillsDone.value)
    text.sample(
      "bloblo_fills_completed_total", ["by": "another"], value: metrics.fillsElsewhere.value)
    text.begin("bloblo_fills_failed_total", .counter, help: "Failed fills, by cause.")
    for (cause, value) in metrics.fillsFailed.scraped() {
      text.sample("bloblo_fills_failed_total", ["cause": cause.word], value: value)
    }
    text.metric(
      "bloblo_filled_bytes_total", .counter, help: "Bytes that fills have published.",
      value: metrics.filledBytes.value)
    text.metric(
      "bloblo_multipart_uploads_orphaned_total", .counter,
      help: "Multipart uploads that could not be aborted.",
      value: metrics.uploadsLeft.value)
    let spool = operation.filler.spoolBytes
    text.metric("bloblo_spool_bytes", .gauge, help: "Bytes of the spool in use.", value: spool.used)
    text.metric(
      "bloblo_spool_limit_bytes", .gauge, help: "BLOBLO_SPOOL_MAX_BYTES.", value: spool.limit)
  }

  private mutating func caches() {
    let caches = operation.caches
    let rows: [(String, MetricsText.Kind, String, (CacheCounts) -> Int)] = [
      ("bloblo_cache_entries", .gauge, "Entries of a cache, expired ones included.", \.entries),
      ("bloblo_cache_hits_total", .counter, "Look-ups that found an entry.", \.hits),
      ("bloblo_cache_misses_total", .counter, "Look-ups that found no entry.", \.misses),
      (
        "bloblo_cache_evictions_total", .counter, "Entries evicted before they expired.",
        \.evictions
      ),
    ]
    for (name, kind, help, value) in rows {
      text.begin(name, kind, help: help)
      for (cache, counts) in caches {
        text.sample(name, ["cache": cache], value: Int64(value(counts)))
      }
    }
  }

  private mutating func dependencies() {
    text.begin(
      "bloblo_dependency_up", .gauge,
      help: "Whether the last health check of a dependency succeeded.")
    for dependency in Dependency.allCases {
      text.sample(
        "bloblo_dependency_up", ["dependency": dependency.word],
        value: operation.health[dependency].isUsable ? 1 : 0)
    }
    text.metric(
      "bloblo_ready", .gauge, help: "Whether requests can be offloaded, as /bloblo/ready says.",
      value: operation.health.reasonsNotReady.isEmpty ? 1 : 0)
    text.begin(
      "bloblo_credential_expiry_timestamp_seconds", .gauge,
      help: "When the S3 credential ends, in Unix time; 0 without one, +Inf for one without end.")
    text.sample("bloblo_credential_expiry_timestamp_seconds", [:], value: credentialEnd)
    text.metric(
      "bloblo_s3_clock_skew_seconds", .gauge,
      help: "How far S3's clock is ahead of this machine's.",
      value: operation.credentials.clock.measured)
  }

  /// By this machine's clock, which Prometheus compares it with.
  private var credentialEnd: String {
    guard let left = operation.credentialSeconds(at: now) else { return "+Inf" }
    return left > 0 ? String(now.seconds + left) : "0"
  }

  private mutating func notices() {
    let raised = Set(operation.notices.all.map(\.notice))
    text.begin(
      "bloblo_notice", .gauge,
      help: "Whether a notice holds that someone should look at; see /bloblo/.")
    for notice in Notice.allCases {
      text.sample("bloblo_notice", ["notice": notice.word], value: raised.contains(notice) ? 1 : 0)
    }
    let troubles = operation.passAlarm.all.map(\.finding.reason)
    text.begin(
      "bloblo_nearly_all_pass", .gauge,
      help:
        "Locations nearly all of whose blobs have passed for this reason for ten minutes; see /bloblo/."
    )
    for kind in PassReason.Kind.allCases where !kind.isOfNoBlob {
      text.sample(
        "bloblo_nearly_all_pass", ["reason": kind.word], value: Int64(troubles.count { $0 == kind })
      )
    }
    text.metric(
      "bloblo_old_front_files_requests_total", .counter,
      help: "Requests from nginx or Apache whose bloblo files are older than this bloblo.",
      value: operation.frontFiles.oldRequests.value)
    text.metric(
      "bloblo_log_lines_dropped_total", .counter,
      help: "Log lines that were dropped because nobody read the error stream.",
      value: LogSink.standardError.droppedLines.value)
  }

  private mutating func program() {
    let pools = operation.pools
    text.begin("bloblo_threads_busy", .gauge, help: "Busy threads, by pool.")
    for (name, load) in pools {
      text.sample("bloblo_threads_busy", ["pool": name], value: Int64(load.busy))
    }
    text.begin("bloblo_threads_limit", .gauge, help: "Threads at most, by pool.")
    for (name, load) in pools {
      text.sample("bloblo_threads_limit", ["pool": name], value: Int64(load.limit))
    }
    text.begin("bloblo_jobs_waiting", .gauge, help: "Jobs that wait for a thread, by pool.")
    for (name, load) in pools {
      text.sample("bloblo_jobs_waiting", ["pool": name], value: Int64(load.waiting))
    }
    let questions = operation.questions
    text.begin("bloblo_upstream_questions", .gauge, help: "Questions to registries, by state.")
    text.sample("bloblo_upstream_questions", ["state": "asked"], value: Int64(questions.onWire))
    text.sample("bloblo_upstream_questions", ["state": "waiting"], value: Int64(questions.waiting))
    text.begin("bloblo_build_info", .gauge, help: "The version of bloblo.")
    text.sample("bloblo_build_info", ["version": blobloVersion], value: 1)
    let process = ProcessMetrics()
    text.metric(
      "process_resident_memory_bytes", .gauge, help: "Memory in use.", value: process.residentBytes)
    text.metric("process_threads", .gauge, help: "Threads.", value: process.threads)
    text.metric(
      "process_open_fds", .gauge, help: "Open descriptors.", value: process.openDescriptors)
    text.begin("process_cpu_seconds_total", .counter, help: "Processor time.")
    text.sample("process_cpu_seconds_total", [:], value: seconds(process.cpuNanoseconds))
    text.metric(
      "process_start_time_seconds", .gauge, help: "When the program was started.",
      value: operation.start.seconds)
  }
}
