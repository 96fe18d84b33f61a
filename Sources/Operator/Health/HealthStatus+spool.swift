internal import Glibc
internal import Primitives
internal import System
package import Telemetry

extension HealthStatus {
  /// Whether the spool folder exists, is writable and has free space.
  package static func ofSpool(_ folder: String) -> HealthStatus {
    guard isWritableFolder(folder) else {
      return .bad(
        "bloblo can't write to the folder \(folder): \(systemWords(for: errno)). Cold blobs pass and are not filled. Create it, or set BLOBLO_SPOOL_DIR."
      )
    }
    guard let free = freeBytes(of: folder) else {
      return .bad("bloblo can't check \(folder): \(systemWords(for: errno)). Set BLOBLO_SPOOL_DIR.")
    }
    guard free >= leastFreeBytes else {
      return .bad(
        "\(folder) is full: \(bytesInWords(free)) are free. Larger cold blobs pass and are not filled. Make room, or set BLOBLO_SPOOL_DIR."
      )
    }
    return .good("\(folder): \(bytesInWords(free)) free.")
  }

  /// A disk with less free space counts as full.
  private static let leastFreeBytes: Int64 = 64 << 20
}

private func freeBytes(of folder: String) -> Int64? {
  var facts = statvfs()
  guard unsafe statvfs(folder, &facts) == 0 else { return nil }
  return Int64(facts.f_bavail) * Int64(facts.f_frsize)
}
