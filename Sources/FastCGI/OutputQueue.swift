internal import CFastCGI
internal import CLinux
internal import Glibc

/// What a connection has yet to send: bytes, and pieces of files that the kernel moves from the page cache to
/// the socket.
struct OutputQueue: ~Copyable {
  enum Progress {
    case sent
    /// The socket takes no more for now.
    case full
    case broken
  }

  private enum Item {
    case bytes([UInt8])
    case file(FileRecords)
  }

  private var items: [Item] = []
  /// How many bytes of the first item, if it is of bytes, have been sent; else of `tail`.
  private var sent = 0
  /// Bytes behind the items.
  var tail: [UInt8] = []

  var isEmpty: Bool { items.isEmpty && tail.isEmpty }

  /// - Parameter owner: keeps the descriptor open.
  mutating func append(
    file descriptor: Int32, _ owner: AnyObject?, offset: Int64, count: Int64, ofRequest id: UInt16
  ) {
    closeTail()
    items.append(
      .file(
        FileRecords(descriptor: descriptor, owner: owner, id: id, at: offset, end: offset + count)))
  }

  /// Sends as much as the socket takes.
  mutating func send(to socket: Int32) -> Progress {
    while !items.isEmpty {
      let progress: Progress
      switch items[0] {
      case .bytes(let bytes):
        progress = Self.send(bytes, &sent, to: socket, isMoreToCome: true)
        if progress == .sent { sent = 0 }
      case .file(var file):
        progress = file.send(to: socket)
        items[0] = .file(file)
      }
      guard progress == .sent else { return progress }
      items.removeFirst()
    }
    guard !tail.isEmpty else { return .sent }
    let progress = Self.send(tail, &sent, to: socket, isMoreToCome: false)
    if progress == .sent {
      sent = 0
      tail.removeAll(keepingCapacity: true)
    }
    return progress
  }

  private mutating func closeTail() {
    guard !tail.isEmpty else { return }
    var bytes: [UInt8] = []
    swap(&bytes, &tail)
    items.append(.bytes(bytes))
  }

  private static func send(
    _ bytes: [UInt8], _ sent: inout Int, to socket: Int32, isMoreToCome: Bool
  ) -> Progress {
    let flags =
      Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT) | (isMoreToCome ? Int32(MSG_MORE) : 0)
    while sent < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { bytes in
        unsafe Glibc.send(
          socket, UnsafeRawBufferPointer(rebasing: bytes[sent...]).baseAddress, bytes.count - sent,
          flags)
      }
      guard count >= 0 else {
        if errno == EINTR { continue }
        return errno == EAGAIN ? .full : .broken
      }
      sent += count
    }
    return .sent
  }
}

/// A piece of a file as records of an answer's stream.
private struct FileRecords {
  let descriptor: Int32
  let owner: AnyObject?
  let id: UInt16
  var at: Int64
  let end: Int64
  /// Of the record that is being sent.
  private var headerSent = 0
  private var recordEnd: Int64

  init(descriptor: Int32, owner: AnyObject?, id: UInt16, at: Int64, end: Int64) {
    self.descriptor = descriptor
    self.owner = owner
    self.id = id
    self.at = at
    self.end = end
    recordEnd = min(end, at + Int64(RecordHeader.contentLimit))
  }

  mutating func send(to socket: Int32) -> OutputQueue.Progress {
    while at < end {
      if headerSent < RecordHeader.byteCount {
        let progress = sendHeader(to: socket)
        guard progress == .sent else { return progress }
      }
      var offset = off_t(at)
      let count = unsafe sendfile(socket, descriptor, &offset, Int(recordEnd - at))
      guard count > 0 else {
        if count < 0, errno == EINTR { continue }
        return count < 0 && errno == EAGAIN ? .full : .broken
      }
      at += Int64(count)
      guard at == recordEnd else { continue }
      headerSent = 0
      recordEnd = min(end, at + Int64(RecordHeader.contentLimit))
    }
    return .sent
  }

  private mutating func sendHeader(to socket: Int32) -> OutputQueue.Progress {
    let word = RecordHeader(type: FCGI_STDOUT, id: id, contentLength: Int(recordEnd - at)).word
    let bytes: InlineArray<1, UInt64> = [word.bigEndian]
    let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT) | Int32(MSG_MORE)
    while headerSent < RecordHeader.byteCount {
      let count = unsafe bytes.span.withUnsafeBytes {
        unsafe Glibc.send(
          socket, $0.baseAddress.map { unsafe $0 + headerSent }, $0.count - headerSent, flags)
      }
      guard count >= 0 else {
        if errno == EINTR { continue }
        return errno == EAGAIN ? .full : .broken
      }
      headerSent += count
    }
    return .sent
  }
}
