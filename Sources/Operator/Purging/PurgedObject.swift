internal import HTTPTransport
internal import Primitives
package import Registry
package import S3
package import Store

/// A blob's object that was deleted from the bucket, and what the command prints about it.
package struct PurgedObject {
  package let lines: [String]

  package init(_ digest: Digest, from store: S3BlobStore) throws(S3Error) {
    let bucket = store.bucket
    var http = HTTPClient()
    let key = try store.key(of: digest)
    let found = try bucket.head(key, over: &http, now: .now())
    let hasVersions = try bucket.delete(key, over: &http, now: .now())
    let name = bucket.bucket.name
    guard let found else {
      lines = ["\(name) had no object \(key)"]
      return
    }
    let deleted = "\(name): \(key) is deleted (\(found.size) bytes)"
    let kept =
      "\(name) keeps versions: the bytes stay there until you delete the versions of \(key)"
    lines = hasVersions ? [deleted, kept] : [deleted]
  }
}

extension PurgeAnswer {
  /// Stands in when no bloblo answered.
  package static let none = PurgeAnswer(heldSeconds: 0, fills: 0, places: [])

  /// What a purge does not reach.
  ///
  /// - Parameter bucket: the bucket that the object was deleted from.
  package func linesOfWhatIsLeft(beside bucket: Bucket) -> [String] {
    let others = places.filter {
      $0.bucket != bucket.name || $0.endpoint != "\(bucket.endpoint)"
    }
    return ["not reached:"]
      + others.map {
        "  the bucket \($0.bucket) at \($0.endpoint), of another location: run this again with "
          + "BLOBLO_S3_BUCKET_NAME=\($0.bucket)"
      } + [
        "  the registry: delete the blob there, or the next pull brings it back",
        "  other instances of bloblo: run this on each",
        "  a restart of bloblo before that time is over: run this again after it",
        "  clients that have a signed URL, until the object is gone, and what they have downloaded",
        "  caches: nginx's (bloblo-accelerate-cache.conf), CloudFront's, proxies before S3",
      ]
  }
}
