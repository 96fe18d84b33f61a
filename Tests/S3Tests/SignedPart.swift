import HTTPTransport
import Primitives
import S3

extension BucketClient {
  /// A part with its SHA-256, as over plain HTTP.
  func uploadPart<Client: HTTPSending & ~Copyable>(
    _ upload: MultipartUpload, number: Int, _ body: HTTPBody, sha256: [UInt8],
    over client: inout Client, now: UnixTime
  ) throws(S3Error) -> UploadedPart {
    try uploadPart(
      upload, number: number, body: body, checksum: PartChecksum(.sha256, sha256),
      sha256: { () throws(S3Error) in sha256 }, over: &client, now: now)
  }
}
