internal import CLinux
internal import Glibc
internal import HTTPTransport
internal import Hashing
internal import Synchronization

/// A file without a name: the bytes of one blob on their way. A crash leaves nothing of it.
@safe
final class Spool: Sendable {
  let descriptor: Int32
  private let reservation: Mutex<SpoolBudget.Reservation>
  /// `nil` where each byte stands at its own offset.
  private let places: Mutex<SpoolPlaces?>

  /// Opens a file in `folder` with room for the whole blob, so that a full disk shows now and not in the
  /// middle of a body.
  ///
  /// - Parameter recycledBytes: the size of the parts whose room serves the next when they are discarded; `nil` for
  ///   a spool that is read by offset.
  init(
    in folder: String, _ reservation: consuming SpoolBudget.Reservation, recycledBytes: Int64? = nil
  ) throws(FillError) {
    places = Mutex(recycledBytes.map { SpoolPlaces(partBytes: $0) })
    let (bytes, bytesOfAll) = (reservation.bytes, reservation.bytesOfAll)
    self.reservation = Mutex(reservation)
    descriptor = openNameless(in: folder)
    guard descriptor >= 0 else { throw .spool("open \(folder)", errno) }
    if let code = makeRoom(bytes, ofAll: bytesOfAll, descriptor) {
      throw .spool("allocate \(bytes) bytes in \(folder)", code)
    }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// As many bytes as the blob has. Of one whose size is not known yet, as many as there is room for.
  var bytes: Int64 { reservation.withLock { $0.bytes } }

  /// Takes room for a blob that turns out to be longer.
  func grow(to end: Int64) throws(FillError) {
    guard end > bytes else { return }
    let (isGranted, ofAll) = reservation.withLock { reservation in
      (
        reservation.resize(to: end + Self.step) || reservation.resize(to: end),
        reservation.bytesOfAll
      )
    }
    guard isGranted else { throw .noRoom(end) }
    if let code = makeRoom(bytes, ofAll: ofAll, descriptor) {
      throw .spool("allocate \(bytes) bytes", code)
    }
  }

  /// Gives back the room that a blob of `end` bytes did not need.
  func trim(to end: Int64) {
    _ = reservation.withLock { $0.resize(to: end) }
    _ = ftruncate(descriptor, off_t(end))
  }

  /// Room is taken by this much more than has come.
  private static let step: Int64 = 16 << 20

  /// Writes all bytes at `offset`.
  func write(_ bytes: Span<UInt8>, at offset: Int64) throws(FillError) {
    var done = 0
    while done < bytes.count {
      let here = offset + Int64(done)
      let (position, limit) = places.withLock { $0?.take(here) } ?? (here, .max)
      let count = Int(min(Int64(bytes.count - done), limit))
      let written = unsafe bytes.withUnsafeBytes { bytes in
        unsafe pwrite(descriptor, bytes.baseAddress! + done, count, off_t(position))
      }
      if written < 0, errno == EINTR { continue }
      guard written > 0 else { throw .spool("write", errno) }
      done += written
    }
  }

  /// Nobody will read the part at `offset` again. Where room is recycled, the next part gets its room.
  func discard(_ offset: Int64) {
    places.withLock { $0?.free(offset) }
  }

  /// Bytes of one part, to be sent.
  func body(_ offset: Int64, count: Int64) -> HTTPBody {
    .file(descriptor: descriptor, offset: position(of: offset).position, count: count)
  }

  /// Where a byte of the blob stands in the file, and how many stand there in a row.
  private func position(of offset: Int64) -> (position: Int64, count: Int64) {
    places.withLock { places in
      guard let places else { return (offset, .max) }
      // Bytes of another part would be worse than a crash.
      guard let found = places.find(offset) else {
        preconditionFailure("byte \(offset) has left the spool")
      }
      return found
    }
  }

  /// The SHA-256 of what was written, read once more.
  func sha256(from start: Int64, count: Int64) throws(FillError) -> [UInt8] {
    var hash = HashFunction(.sha256)
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    var offset = start
    while offset < start + count {
      let got = try read(into: &buffer, at: offset, upTo: start + count)
      hash.update(buffer.span.extracting(0..<got))
      offset += Int64(got)
    }
    return hash.finalize()
  }

  /// Reads what was written, into the beginning of `buffer`.
  ///
  /// - Returns: how many bytes; at least 1.
  func read(into buffer: inout [UInt8], at offset: Int64, upTo end: Int64) throws(FillError) -> Int
  {
    let (position, limit) = position(of: offset)
    let wanted = Int(min(Int64(buffer.count), end - offset, limit))
    while true {
      let got = unsafe pread(descriptor, &buffer, wanted, off_t(position))
      if got < 0, errno == EINTR { continue }
      guard got > 0 else { throw .spool("read", errno) }
      return got
    }
  }
}

/// Source: open(2), "O_TMPFILE"; file systems without it (NFS, some overlays) get a file whose name is
/// taken away at once: only a crash between the two calls leaves it, and empty.
private func openNameless(in folder: String) -> Int32 {
  let descriptor = unsafe open(folder, O_RDWR | O_CLOEXEC | clinux_o_tmpfile, 0o600)
  guard descriptor < 0, errno == EOPNOTSUPP || errno == EISDIR else { return descriptor }
  var path = Array("\(folder)/.bloblo-spool-XXXXXX".utf8CString)
  return unsafe path.withUnsafeMutableBufferPointer { path in
    guard let start = path.baseAddress else { return -1 }
    let named = unsafe mkostemp(start, O_CLOEXEC)
    if named >= 0 { unsafe unlink(start) }
    return named
  }
}

/// - Parameter ofAll: what all spools may come to.
/// - Returns: the errno of a failure.
private func makeRoom(_ bytes: Int64, ofAll: Int64, _ descriptor: Int32) -> Int32? {
  guard bytes > 0, fallocate(descriptor, 0, 0, off_t(bytes)) != 0 else { return nil }
  let code = errno
  guard code == EOPNOTSUPP || code == ENOSYS else { return code }
  // This file system can't allocate ahead: what is free now must do, for those too that still grow.
  var facts = statvfs()
  guard unsafe fstatvfs(descriptor, &facts) == 0 else { return nil }
  return UInt64(facts.f_bavail) * UInt64(facts.f_frsize) < UInt64(ofAll) ? ENOSPC : nil
}
