internal import Glibc

/// What the kernel knows of this process.
///
/// Sources: proc(5); <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>
package struct ProcessMetrics {
  package let residentBytes: Int64
  package let threads: Int64
  package let openDescriptors: Int64
  /// Of user and system.
  package let cpuNanoseconds: Int64

  package init() {
    let status = lines(of: "/proc/self/status")
    residentBytes = number("VmRSS:", in: status) * 1024
    threads = number("Threads:", in: status)
    openDescriptors = entries(of: "/proc/self/fd")
    var time = timespec()
    unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    cpuNanoseconds = Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}

private func number(_ name: String, in lines: [Substring]) -> Int64 {
  guard let line = lines.first(where: { $0.hasPrefix(name) }) else { return 0 }
  return Int64(line.dropFirst(name.count).filter(\.isNumber)) ?? 0
}

private func lines(of path: String) -> [Substring] {
  let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return [] }
  defer { close(descriptor) }
  var buffer = [UInt8](repeating: 0, count: 8192)
  let count = unsafe read(descriptor, &buffer, buffer.count)
  guard count > 0 else { return [] }
  return String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n")
}

private func entries(of path: String) -> Int64 {
  guard let folder = unsafe opendir(path) else { return 0 }
  defer { unsafe closedir(folder) }
  var count: Int64 = 0
  while unsafe readdir(folder) != nil { count += 1 }
  // Neither ".", "..", nor the folder itself.
  return max(0, count - 3)
}
