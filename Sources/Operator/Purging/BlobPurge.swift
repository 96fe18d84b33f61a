internal import FastCGI
internal import Glibc
package import Registry
internal import S3
package import Store

/// Removes a blob from the bucket, and makes the running bloblo forget it.
package struct BlobPurge {
  /// A line for the person who runs the command.
  package enum Line {
    case result(String)
    case problem(String)
  }

  private let digest: Digest
  private let store: S3BlobStore
  private let instance: RunningInstance
  private let write: (Line) -> Void

  package init(
    _ digest: Digest, from store: S3BlobStore, told instance: RunningInstance,
    write: @escaping (Line) -> Void
  ) {
    self.digest = digest
    self.store = store
    self.instance = instance
    self.write = write
  }

  /// - Returns: whether a running bloblo has forgotten the blob, and the object is gone for good.
  package func run() -> Bool {
    // Before the object is deleted, so that no client gets a new URL for it meanwhile.
    let isTold = tell()
    let isGone = delete()
    // A fill that ran meanwhile may have put the object back.
    let isStillGone = isGone && (!isTold || waitForFills())
    let answer = isTold ? try? instance.forget(digest) : nil
    for line in (answer ?? .none).linesOfWhatIsLeft(beside: store.bucket.bucket) {
      write(.result(line))
    }
    return isTold && isStillGone
  }

  private func tell() -> Bool {
    do throws(FastCGICall.Failure) {
      let answer = try instance.forget(digest)
      write(
        .result(
          "bloblo at \(instance.address) has forgotten it, and signs no URL for it for \(answer.heldSeconds) s"
        ))
      return true
    } catch {
      write(
        .problem(
          "no bloblo answered at \(instance.address): \(error). If one runs elsewhere, name it by --socket; "
            + "it may still give out URLs from memory."))
      return false
    }
  }

  private func delete() -> Bool {
    do throws(S3Error) {
      for line in try PurgedObject(digest, from: store).lines { write(.result(line)) }
      return true
    } catch {
      write(.problem("not deleted: \(error). \(error.advice)"))
      return false
    }
  }

  /// - Returns: whether the object is gone for good.
  private func waitForFills() -> Bool {
    var hasWaited = false
    while let answer = try? instance.forget(digest), answer.fills > 0 {
      if !hasWaited {
        write(.result("a fill of it runs: waiting for its end, to delete what it puts there"))
      }
      hasWaited = true
      usleep(500_000)
    }
    return hasWaited ? delete() : true
  }
}
