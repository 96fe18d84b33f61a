internal import Glibc
package import Logging

/// Whether this machine's limits are enough for 1,000 nodes that pull at once, each with four connections.
///
/// It knows about the web server what /proc shows of a process on this machine, and what is in a file that everybody
/// may read.
package struct Capacity {
  package struct Finding {
    package let subject: String
    package let words: String
    package let advice: String
  }

  private static let nodes = 1000
  private static let connections = nodes * 4

  /// Where the kernel shows processes and settings.
  private let proc: String

  package init(proc: String = "/proc") { self.proc = proc }

  /// - Parameters:
  ///   - upstreamConnections: `BLOBLO_UPSTREAM_CONNECTIONS`.
  ///   - limit: descriptors that this process may have.
  package func ofThisProcess(
    upstreamConnections: Int, limit: Int = Capacity.descriptorLimit()
  ) -> [Finding] {
    var findings: [Finding] = []
    let need = Self.connections + upstreamConnections + 200
    if limit < need {
      findings.append(
        Finding(
          subject: "limits.descriptors",
          words:
            "this process may have \(limit) descriptors, and \(Self.nodes) nodes at once need \(need)",
          advice: "LimitNOFILE=65536 in the unit, or `ulimit -n 65536` before bloblo starts"))
    }
    let backlog = text("\(proc)/sys/net/core/somaxconn").flatMap { Int($0.trimmed) }
    if let backlog, backlog < Self.connections {
      findings.append(
        Finding(
          subject: "limits.backlog",
          words:
            "net.core.somaxconn is \(backlog): more connections than that can't wait for bloblo",
          advice: "sysctl net.core.somaxconn=4096, then restart bloblo"))
    }
    return findings
  }

  /// The limits that are too low in this machine's nginx; nothing without nginx, with more than one, or with a
  /// configuration that can't be read.
  package func ofNginx() -> [Finding] {
    let processes = nginxProcesses()
    guard processes.masters.count == 1, let master = processes.masters.first,
      !processes.workers.isEmpty
    else { return [] }
    var findings: [Finding] = []
    // A client's connection, and one to bloblo or the registry.
    let need = Self.connections * 2 / processes.workers.count
    let file = master.configuration ?? "/etc/nginx/nginx.conf"
    if let number = text(file).flatMap({ Self.workerConnections(in: $0) }), number < need {
      findings.append(
        Finding(
          subject: "nginx.connections",
          words:
            "\(file) gives each of \(processes.workers.count) workers \(number) connections, and "
            + "\(Self.nodes) nodes at once need \(need)",
          advice: "events { worker_connections \(need); } and worker_rlimit_nofile \(need * 2);"))
    }
    let limits = processes.workers.compactMap { openFiles(of: $0) }
    if let least = limits.min(), least < need {
      findings.append(
        Finding(
          subject: "nginx.descriptors",
          words:
            "a worker of nginx may have \(least) descriptors, and \(Self.nodes) nodes at once need \(need)",
          advice: "worker_rlimit_nofile \(need * 2); in the main part of \(file)"))
    }
    return findings
  }

  /// The first `worker_connections` of a file. Included files are not read.
  static func workerConnections(in text: String) -> Int? {
    for line in text.split(separator: "\n") {
      let words = line.prefix { $0 != "#" }.split { " \t{};".contains($0) }
      guard let i = words.firstIndex(of: "worker_connections"), i + 1 < words.count else {
        continue
      }
      return Int(words[i + 1])
    }
    return nil
  }

  private struct Master {
    /// The configuration file in the command line of a process.
    let configuration: String?
  }

  private func nginxProcesses() -> (masters: [Master], workers: [String]) {
    var (masters, workers): ([Master], [String]) = ([], [])
    for id in entries(of: proc) where id.allSatisfy(\.isNumber) {
      guard let command = text("\(proc)/\(id)/cmdline") else { continue }
      let words = command.split { $0 == " " || $0 == "\0" }.map { String($0) }
      guard words.first == "nginx:", words.count > 1 else { continue }
      switch words[1] {
      case "master":
        let flag = words.firstIndex(of: "-c").map { $0 + 1 }
        masters.append(Master(configuration: flag.flatMap { $0 < words.count ? words[$0] : nil }))
      case "worker": workers.append(id)
      default: break
      }
    }
    return (masters, workers)
  }

  private func openFiles(of id: String) -> Int? {
    let line = text("\(proc)/\(id)/limits")?.split(separator: "\n").first {
      $0.hasPrefix("Max open files")
    }
    return line?.split(separator: " ").dropFirst(3).first.flatMap { Int($0) }
  }

  private func entries(of path: String) -> [String] {
    guard let folder = unsafe opendir(path) else { return [] }
    defer { unsafe closedir(folder) }
    var names: [String] = []
    while let entry = unsafe readdir(folder) {
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      names.append(name)
    }
    return names
  }

  /// The first 64 KiB of a file.
  private func text(_ path: String) -> String? {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    let count = unsafe read(descriptor, &buffer, buffer.count)
    return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
  }
}

extension Capacity {
  /// How many descriptors this process may open.
  package static func descriptorLimit() -> Int {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
      return 1024
    }
    return Int(min(limit.rlim_cur, 1 << 20))
  }

  /// Raises this process's limit of descriptors, and logs the limits that are still too low.
  package static func widen(forUpstreamConnections connections: Int, _ logger: Logger) {
    raiseDescriptorLimit()
    for finding in Capacity().ofThisProcess(upstreamConnections: connections) {
      logger.warning(
        "a limit of this machine is low",
        metadata: ["reason": "\(finding.words)", "advice": "\(finding.advice)"])
    }
  }

  /// Raises the limit as far as the system allows: a login gives 1024, and half a million on request.
  static func raiseDescriptorLimit() {
    var limit = rlimit()
    let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard unsafe getrlimit(kind, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
    limit.rlim_cur = min(limit.rlim_max, 1 << 20)
    _ = unsafe setrlimit(kind, &limit)
  }
}

extension String {
  fileprivate var trimmed: String { filter { !$0.isWhitespace } }
}
