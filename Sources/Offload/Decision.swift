package import Registry

/// The decision on a request for a blob. The cases are the leaves of the flowchart in docs/requests.md.
package enum Decision: Sendable {
  /// The registry answers.
  case pass(PassReason)
  /// bloblo answers a HEAD with upstream's fields.
  case answer(BlobProof, size: Int64)
  /// The client is sent to the bucket, for a blob of this many bytes.
  case redirect(location: [UInt8], size: Int64)
  /// The web server reads the bucket for the client, by this absolute URL.
  case accelerate(BlobProof, url: [UInt8], size: Int64)
  /// Several ranges of a blob of this size are read from the bucket for the client.
  case multipart(BlobProof, size: Int64)
  /// The client may read the blob, and the bucket lacks it or has a wrong object (`replacing`). The size is `nil`
  /// when upstream states it only when the blob is read.
  case fill(BlobProof, size: Int64?, replacing: WrongObject?)
}

/// An object that is not the blob that its key names.
package struct WrongObject: Sendable, Equatable {
  package let size: Int64
  /// `nil` when only the size is wrong.
  package let defect: StoredBlob.Defect?

  package init(size: Int64, defect: StoredBlob.Defect? = nil) {
    self.size = size
    self.defect = defect
  }
}

/// Why the registry answers.
package enum PassReason: Sendable, Equatable {
  /// Not `GET` or `HEAD`, or not a plain path of a blob.
  case notABlobRequest
  /// The request has come through bloblo already: its upstream asks bloblo again.
  case loop
  /// A DELETE of a blob: relayed, so that what it deletes is forgotten.
  case deletion
  /// A ping or a token request that upstream did not answer with a 200 that can be kept.
  case notRemembered
  /// The web server's params for this location are wrong.
  case wrongParams
  /// `BLOBLO_DELIVERY=pass`.
  case delivery
  /// A GET or HEAD with a body, which only the registry can make sense of.
  case requestBody
  /// Offloading is switched off for all blobs.
  case switchedOff
  /// `bloblo purge` has taken the blob out of the bucket a moment ago.
  case purged
  /// `If-None-Match` and the like.
  case conditional
  /// Several ranges, a HEAD with a range, a unit that is not bytes, or a range beyond the end of a blob that the web
  /// server would read.
  case range
  /// `If-Range` with a validator that is not the registry's own of this blob.
  case otherValidator
  case unproven(Unproven)
  /// Upstream did not give the size that the answer needs.
  case unknownSize
  /// Below `BLOBLO_MIN_BLOB_SIZE`.
  case smallBlob
  /// The bucket did not say whether it has the blob, or no URL could be signed.
  case store(String)
  /// The bucket answers bloblo but not clients; with what clients would meet.
  case road(String)
  /// The web server could not read the object that it was sent to: what it met.
  case unread(String)
  /// The bucket does not tell bloblo whether it has the blob.
  case storeDenied(String)
  /// `BLOBLO_DELIVERY=accelerate`, but this web server can't read the bucket.
  case noAcceleration
  /// The signed URL is longer than the web server takes.
  case longURL
  /// All threads or connections are in use.
  case busy
  /// The line for a look into the bucket did not move in time.
  case line(String)
  /// The blob is not in the bucket, and this request can't be the one that brings it there.
  case cold(ColdReason)
}

/// Why bloblo does not read a cold blob for this client.
package enum ColdReason: Sendable, Equatable {
  /// `BLOBLO_FILL=off`.
  case fillIsOff
  /// `BLOBLO_FILL=background`: a fill is queued.
  case background
  /// A part can't become the whole.
  case range
  /// The registry redirects to where a fill may not follow: these words.
  case redirect(String)
  /// `BLOBLO_FILL_CONCURRENCY` or `BLOBLO_SPOOL_MAX_BYTES` is reached, or the disk is full.
  case limit
  /// Upstream did not answer the reading with the whole blob.
  case upstream(String)
}

extension PassReason: CustomStringConvertible {
  /// One word or two, the same for all requests of a kind.
  package var description: String { kind.word }
}
