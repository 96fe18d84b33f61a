package import HTTPTransport
internal import Hashing
package import Primitives
internal import XML

/// An object made of parts: it is there when the upload is completed, and not before.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>
extension BucketClient {
  /// - Parameter metadata: as for `put`.
  ///
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html>
  package func createMultipartUpload<Client: HTTPSending & ~Copyable>(
    _ key: ObjectKey, metadata: [(String, String)] = [], over client: inout Client, now: UnixTime
  ) throws(S3Error) -> MultipartUpload {
    let response = try sendUpload(with: .checksums) { features throws(S3Error) in
      var fields = uploadOptions.fields(metadata)
      // Without it S3 refuses the parts' checksums.
      if features.contains(.checksums) {
        fields.append(HTTPField("x-amz-checksum-algorithm", "SHA256"))
      }
      return UploadAnswer(
        try send(
          .createMultipartUpload, .post, key, query: [("uploads", "")], fields: fields,
          over: &client, now: now))
    }.response(.createMultipartUpload)
    let document = try document(
      .createMultipartUpload, "InitiateMultipartUploadResult", response)
    guard let id = document.text(of: "UploadId"), !id.isEmpty else {
      throw .unexpectedAnswer(.createMultipartUpload, reason: "an answer without UploadId")
    }
    return MultipartUpload(key: key, id: UploadID(id), initiated: now)
  }

  /// - Parameters:
  ///   - number: 1…10000.
  ///   - body: 5 MiB to 5 GiB; the last part may be shorter.
  ///   - sha256: of the body, 32 bytes.
  ///
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html>
  package func uploadPart<Client: HTTPSending & ~Copyable>(
    _ upload: MultipartUpload, number: Int, _ body: HTTPBody, sha256: [UInt8],
    over client: inout Client, now: UnixTime
  ) throws(S3Error) -> UploadedPart {
    precondition(UploadedPart.numbers.contains(number), "a part numbered \(number)")
    let checksum = Base64.string(sha256.span)
    var isWithChecksum = false
    let response = try sendUpload(with: .checksums) { features throws(S3Error) in
      isWithChecksum = features.contains(.checksums)
      return UploadAnswer(
        try send(
          .uploadPart, .put, upload.key,
          query: [("partNumber", String(number)), ("uploadId", upload.id.text)],
          fields: isWithChecksum ? [HTTPField("x-amz-checksum-sha256", checksum)] : [], body: body,
          payloadHash: .sha256(sha256), over: &client, now: now))
    }.response(.uploadPart)
    guard response.head.status == 200 else { throw .refused(.uploadPart, S3Refusal(response)) }
    guard let eTag = response.head.eTag, !eTag.isEmpty else {
      throw .unexpectedAnswer(
        .uploadPart,
        reason: "status 200 without an ETag: the upload can't be completed without it; "
          + "does a proxy before S3 take it away?")
    }
    return UploadedPart(
      number: number, eTag: eTag, checksumSHA256: isWithChecksum ? checksum : nil)
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
          .completeMultipartUpload, .post, upload.key, query: [("uploadId", upload.id.text)],
          fields: fields, body: .bytes(body), payloadHash: payloadHash, over: &client, now: now))
    }.response(.completeMultipartUpload)
    if onlyIfAbsent && response.head.status == 412 { return .alreadyThere }
    let document = try document(
      .completeMultipartUpload, "CompleteMultipartUploadResult", response)
    return .stored(document.text(of: "ETag"))
  }

  /// Gives up an upload and its parts; that there is none is no error.
  ///
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>
  package func abortMultipartUpload<Client: HTTPSending & ~Copyable>(
    _ upload: MultipartUpload, over client: inout Client, now: UnixTime
  ) throws(S3Error) {
    let response = try send(
      .abortMultipartUpload, .delete, upload.key, query: [("uploadId", upload.id.text)],
      over: &client, now: now)
    let refusal = S3Refusal(response)
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
      .listMultipartUploads, "ListMultipartUploadsResult",
      send(.listMultipartUploads, .get, nil, query: query, over: &client, now: now))
    return try MultipartUploadPage(document)
  }
}
