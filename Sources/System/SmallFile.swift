internal import Glibc

/// Files of settings and tokens: short, and written by others while we run.
package enum SmallFile {
  /// Bytes that are read at most.
  static let limit = 1 << 20

  /// - Returns: nil when the file can't be read, is longer than the limit, or is not UTF-8.
  package static func text(_ path: String) -> String? {
    bytes(path).flatMap { String(validating: $0, as: UTF8.self) }
  }

  package static func bytes(_ path: String) -> [UInt8]? {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    return bytes(of: descriptor)
  }

  /// Reads to the end.
  static func bytes(of descriptor: Int32) -> [UInt8]? {
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      let count = unsafe buffer.withUnsafeMutableBytes {
        unsafe Glibc.read(descriptor, $0.baseAddress, $0.count)
      }
      if count < 0 && errno == EINTR { continue }
      guard count >= 0, all.count + count <= limit else { return nil }
      if count == 0 { return all }
      all.append(contentsOf: buffer[..<count])
    }
  }

  /// What changes when a file is written or another takes its place; equal for a file that is not there.
  package struct Stamp: Hashable, Sendable {
    private var device: UInt64 = 0
    private var inode: UInt64 = 0
    private var size: Int64 = -1
    private var seconds: Int64 = 0
    private var nanoseconds: Int64 = 0

    package init(_ path: String) {
      var facts = stat()
      // Through symbolic links: that is how Kubernetes swaps a mounted secret.
      guard unsafe stat(path, &facts) == 0 else { return }
      device = UInt64(facts.st_dev)
      inode = UInt64(facts.st_ino)
      size = Int64(facts.st_size)
      seconds = Int64(facts.st_mtim.tv_sec)
      nanoseconds = Int64(facts.st_mtim.tv_nsec)
    }
  }
}
