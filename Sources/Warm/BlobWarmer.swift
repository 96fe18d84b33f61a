package import Fill
internal import HTTPTransport
internal import Primitives
package import Registry
internal import S3
package import Store
internal import Synchronization
internal import Threading

/// Fills the blobs of an image that the bucket lacks, several at a time.
package final class BlobWarmer: Sendable {
  private let store: S3BlobStore
  private let filler: Filler
  private let report: WarmReport
  /// Blobs that are present or were tried: images share layers.
  private let seen = Mutex<Set<Digest>>([])

  package init(_ store: S3BlobStore, by filler: Filler, _ report: WarmReport) {
    self.store = store
    self.filler = filler
    self.report = report
  }

  package func warm(_ blobs: [ImageBlob], _ session: RegistrySession, threads: Int) {
    let queue = Monitor(blobs.filter { blob in seen.withLock { $0.insert(blob.digest).inserted } })
    let workers = (0..<threads).compactMap { _ in
      Thread.start("warm") { self.work(queue, session) }
    }
    for worker in workers { worker.join() }
  }

  private func work(_ queue: Monitor<[ImageBlob]>, _ session: RegistrySession) {
    var http = HTTPClient()
    while let blob = queue.withLock({ $0.popLast() }) { warm(blob, in: session, over: &http) }
  }

  private func warm(_ blob: ImageBlob, in session: RegistrySession, over http: inout HTTPClient) {
    do {
      let key = try store.key(of: blob.digest)
      let stored = try Retry.run { () throws(S3Error) in
        try store.bucket.head(key, over: &http, now: .now())
      }
      if stored?.serves(blob.digest, size: blob.size) == true { return report.present(blob) }
      // A blob that the registry does not have may be too large for any room.
      if blob.isForeign, try locate(blob, in: session, over: &http) == nil {
        return report.skipped(blob)
      }
      // Before the registry is asked: its token, or the URL that it redirects to, may end while others have the room.
      let room = try filler.waitForRoom(blob.size)
      guard let request = try locate(blob, in: session, over: &http) else {
        return report.skipped(blob)
      }
      let source = FillSource(
        request: request, registry: "", digest: blob.digest, size: blob.size,
        bucket: store.bucket(for: session.reference.name), key: key,
        isReplacement: stored != nil)
      if try fill(source, of: blob, in: room, over: &http) {
        report.filled(blob)
      } else {
        report.present(blob)
      }
    } catch {
      report.failed(blob, "\(error)")
    }
  }

  /// - Returns: `nil` for a blob that is published elsewhere, not here.
  private func locate(
    _ blob: ImageBlob, in session: RegistrySession, over http: inout HTTPClient
  ) throws(WarmError) -> HTTPRequest? {
    do {
      return try session.locate(blob.digest, over: &http)
    } catch {
      guard blob.isForeign else { throw error }
      return nil
    }
  }

  private func fill(
    _ source: FillSource, of blob: ImageBlob, in room: FillRoom, over http: inout HTTPClient
  ) throws(FillError) -> Bool {
    try filler.fill(source, in: room, by: &http) { [report] in report.advance(blob, to: $0) }
  }
}

/// Reports uploads that stay in the bucket; everything else is in the command's own report.
package struct WarmObserver: FillObserver {
  let report: WarmReport

  package init(_ report: WarmReport) { self.report = report }

  package func published(_ digest: Digest, size: Int64, after time: Duration) {}
  package func found(_ digest: Digest, size: Int64) {}
  package func failed(_ digest: Digest, _ error: FillError) {}

  package func leftUpload(of digest: Digest, _ error: FillError) {
    report.say("upload of \(digest) left in the bucket, for `bloblo sweep`: \(error)")
  }
}
