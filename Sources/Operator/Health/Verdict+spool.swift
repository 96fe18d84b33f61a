internal import Glibc
internal import Primitives
internal import System
package import Telemetry

extension Verdict {
  /// How the folder is in which blobs wait on their way into the bucket.
  package static func ofSpool(_ folder: String) -> Verdict {
    guard isWritableFolder(folder) else {
      return .bad(
        "\(folder) is no folder that bloblo may write to: \(systemWords(for: errno)). Cold blobs pass without being filled. Create it, or set BLOBLO_SPOOL_DIR."
      )
    }
    guard let free = freeBytes(of: folder) else {
      return .bad("\(folder) can't be looked at: \(systemWords(for: errno)). Set BLOBLO_SPOOL_DIR.")
    }
    guard free >= leastFreeBytes else {
      return .bad(
        "\(folder) is full: \(bytesInWords(free)) are free. Larger cold blobs pass without being filled. Make room, or set BLOBLO_SPOOL_DIR."
      )
    }
    return .good("\(folder): \(bytesInWords(free)) free.")
  }

  /// A disk with less free is called full.
  private static let leastFreeBytes: Int64 = 64 << 20
}

private func freeBytes(of folder: String) -> Int64? {
  var facts = statvfs()
  guard unsafe statvfs(folder, &facts) == 0 else { return nil }
  return Int64(facts.f_bavail) * Int64(facts.f_frsize)
}
