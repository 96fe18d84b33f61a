internal import CLinux
internal import Glibc
internal import Hashing

/// A file without a name: the bytes of one blob on their way. A crash leaves nothing of it.
@safe
final class Spool: Sendable {
  let descriptor: Int32
  private let reservation: SpoolBudget.Reservation

  /// Opens a file in `folder` with room for the whole blob, so that a full disk shows now and not in the
  /// middle of a body.
  init(in folder: String, _ reservation: consuming SpoolBudget.Reservation) throws(FillError) {
    self.reservation = reservation
    descriptor = unsafe open(folder, O_RDWR | O_CLOEXEC | clinux_o_tmpfile, 0o600)
    guard descriptor >= 0 else { throw .spool("open \(folder)", errno) }
    let bytes = self.reservation.bytes
    // Some file systems can't allocate ahead: then a full disk is found when it is full.
    if bytes > 0, fallocate(descriptor, 0, 0, off_t(bytes)) != 0, errno == ENOSPC || errno == EFBIG
    {
      throw .spool("allocate \(bytes) bytes in \(folder)", errno)
    }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Writes all bytes at `offset`.
  func write(_ bytes: Span<UInt8>, at offset: Int64) throws(FillError) {
    var done = 0
    while done < bytes.count {
      let written = unsafe bytes.withUnsafeBytes { bytes in
        unsafe pwrite(
          descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset) + off_t(done))
      }
      if written < 0, errno == EINTR { continue }
      guard written > 0 else { throw .spool("write", errno) }
      done += written
    }
  }

  /// The SHA-256 of all that was written, read once more.
  func sha256(count: Int64) throws(FillError) -> [UInt8] {
    var hash = HashFunction(.sha256)
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    var offset: Int64 = 0
    while offset < count {
      let wanted = Int(min(Int64(buffer.count), count - offset))
      let got = unsafe pread(descriptor, &buffer, wanted, off_t(offset))
      guard got > 0 else { throw .spool("read", errno) }
      hash.update(buffer.span.extracting(0..<got))
      offset += Int64(got)
    }
    return hash.finalize()
  }
}
