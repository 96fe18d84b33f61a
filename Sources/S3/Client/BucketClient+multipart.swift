package import HTTPTransport
internal import Hashing
package import Primitives
internal import XML

/// An object made of parts: it is there when the upload is completed, and not before.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>
extension BucketClient {
  /// What parts are best summed by. Over plain HTTP the signature has to cover them, so that their SHA-256 is
  /// needed anyway.
  package var partChecksum: PartChecksum.Algorithm {
    let crc = PartChecksum.Algorithm.crc32c
    let isTaken = site.known.features.isSuperset(of: crc.features)
    return bucket.endpoint.scheme == .https && isTaken ? crc : .sha256
  }

  /// - Parameters:
  ///   - checksum: what the parts' are to be. The upload says what S3 takes.
  ///   - metadata: as for `put`.
  ///
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html>
  package func createMultipartUpload<Client: HTTPSending & ~Copyable>(
    _ key: ObjectKey, checksum: PartChecksum.Algorithm = .sha256,
    metadata: [(String, String)] = [], over client: inout Client, now: UnixTime
  ) throws(S3Error) -> MultipartUpload {
    var taken: PartChecksum.Algorithm?
    let response = try sendUpload(with: checksum.features) { features throws(S3Error) in
      var fields = uploadOptions.fields(metadata)
      taken = [checksum, .sha256].first { features.isSuperset(of: $0.features) }
      // Without it S3 refuses the parts' checksums.
      if let taken { fields.append(HTTPField("x-amz-checksum-algorithm", taken.rawValue)) }
      return UploadAnswer(
        try send(
          .createMultipartUpload, method: .post, key: key, query: [("uploads", "")], fields: fields,
          over: &client, now: now))
    }.response(.createMultipartUpload)
    let document = try document(
      .createMultipartUpload, name: "InitiateMultipartUploadResult", in: response)
    guard let id = document.text(of: "UploadId"), !id.isEmpty else {
      throw .unexpectedAnswer(.createMultipartUpload, reason: "an answer without UploadId")
    }
    return MultipartUpload(key: key, id: UploadID(id), initiated: now, checksum: taken)
  }

  /// - Parameters:
  ///   - number: 1…10000.
  ///   - body: 5 MiB to 5 GiB; the last part may be shorter.
  ///   - checksum: of the body, as the upload has it; nil for one that takes none.
  ///   - sha256: of the body, 32 bytes: for the signature, where that has to cover the body.
  ///
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html>
  package func uploadPart<Client: HTTPSending & ~Copyable>(
    _ upload: MultipartUpload, number: Int, body: HTTPBody, checksum: PartChecksum?,
    sha256: () throws(S3Error) -> [UInt8], over client: inout Client, now: UnixTime
  ) throws(S3Error) -> UploadedPart {
    precondition(UploadedPart.numbers.contains(number), "a part numbered \(number)")
    var sent: PartChecksum?
    let wanted = checksum?.algorithm.features ?? []
    let response = try sendUpload(with: wanted) { features throws(S3Error) in
      sent = features.contains(.checksums) ? checksum : nil
      let isUnsigned = features.isSuperset(of: [.checksums, .unsigned])
      return UploadAnswer(
        try send(
          .uploadPart, method: .put, key: upload.key,
          query: [("partNumber", String(number)), ("uploadId", upload.id.text)],
          fields: sent.map { [$0.field] } ?? [], body: body,
          payloadHash: isUnsigned ? .unsigned : .sha256(try sha256()), over: &client, now: now),
        isUnsigned: isUnsigned)
    }.response(.uploadPart)
    guard response.head.status == 200 else {
      throw .refused(.uploadPart, S3ErrorResponse(response))
    }
    guard let eTag = response.head.eTag, !eTag.isEmpty else {
      throw .unexpectedAnswer(
        .uploadPart,
        reason: "status 200 without an ETag: the upload can't be completed without it; "
          + "does a proxy before S3 take it away?")
    }
    return UploadedPart(number: number, eTag: eTag, checksum: sent)
  }

  /// Makes the object.
  ///
  /// After `.alreadyThere` and after an error the parts are still there, and cost: abort the upload.
  ///
  /// - Parameters:
  ///   - parts: all of them, in the order of their numbers.
  ///   - onlyIfAbsent: as for `put`.
  ///
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>
  package func completeMultipartUpload<Client: HTTPSending & ~Copyable>(
    _ upload: MultipartUpload, _ parts: [UploadedPart], onlyIfAbsent: Bool = false,
    over client: inout Client, now: UnixTime
  ) throws(S3Error) -> UploadOutcome {
    let body = UploadedPart.document(of: parts)
    var hash = HashFunction(.sha256)
    hash.update(body.span)
    let payloadHash = PayloadHash.sha256(hash.finalize())
    let response = try sendUpload(with: onlyIfAbsent ? .conditions : []) {
      features throws(S3Error) in
      var fields = [HTTPField("Content-Type", "application/xml")]
      if features.contains(.conditions) { fields.append(.ifAbsent) }
      return UploadAnswer(
        try send(
          .completeMultipartUpload, method: .post, key: upload.key,
          query: [("uploadId", upload.id.text)],
          fields: fields, body: .bytes(body), payloadHash: payloadHash, over: &client, now: now))
    }.response(.completeMultipartUpload)
    if onlyIfAbsent && response.head.status == 412 { return .alreadyThere }
    let document = try document(
      .completeMultipartUpload, name: "CompleteMultipartUploadResult", in: response)
    return .stored(document.text(of: "ETag"))
  }

  /// Gives up an upload and its parts; that there is none is no error.
  ///
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>
  package func abortMultipartUpload<Client: HTTPSending & ~Copyable>(
    _ upload: MultipartUpload, over client: inout Client, now: UnixTime
  ) throws(S3Error) {
    let response = try send(
      .abortMultipartUpload, method: .delete, key: upload.key,
      query: [("uploadId", upload.id.text)],
      over: &client, now: now)
    let refusal = S3ErrorResponse(response)
    switch response.head.status {
    case 200, 204: return
    case 404 where refusal.code == "NoSuchUpload": return
    default: throw .refused(.abortMultipartUpload, refusal)
    }
  }

  /// One page of the uploads that were begun and neither completed nor aborted.
  ///
  /// - Parameters:
  ///   - prefix: of their keys; empty for all.
  ///   - marker: the `next` of the page before; nil for the first.
  ///   - limit: uploads on the page, 1…1000.
  ///
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>
  package func listMultipartUploads<Client: HTTPSending & ~Copyable>(
    prefix: String = "", after marker: MultipartUploadPage.Marker? = nil, limit: Int = 1000,
    over client: inout Client, now: UnixTime
  ) throws(S3Error) -> MultipartUploadPage {
    var query = [("uploads", ""), ("max-uploads", String(limit))]
    if !prefix.isEmpty { query.append(("prefix", prefix)) }
    if let marker {
      query.append(("key-marker", marker.key))
      query.append(("upload-id-marker", marker.uploadID))
    }
    let document = try document(
      .listMultipartUploads, name: "ListMultipartUploadsResult",
      in: send(.listMultipartUploads, method: .get, key: nil, query: query, over: &client, now: now)
    )
    return try MultipartUploadPage(document)
  }
}
