internal import HTTPTransport
package import Primitives

extension BucketClient {
  /// What S3 knows of an object; nil when there is none.
  ///
  /// A 403 is an error: S3 says so of an absent object too, to those who may not list the bucket; its code
  /// is found out by a request of its own. A 404 may also be for the bucket: to HEAD there is no body that
  /// would tell.
  ///
  /// The checksum is asked for too. Some servers refuse that, and S3 does to those who may not use the object's
  /// KMS key: they are asked without it for some minutes.
  ///
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>
  package func head<Client: HTTPSending & ~Copyable>(
    _ key: ObjectKey, over client: inout Client, now: UnixTime
  ) throws(S3Error) -> ObjectHead? {
    let wish = site.checksumWish(at: .now)
    let response = try sendHead(key, asksForChecksum: wish != .none, over: &client, at: now)
    switch response.head.status {
    case 200:
      if wish == .again { site.resumeChecksums() }
      return try objectHead(response)
    case 404: return nil
    case 403:
      if wish == .again, let head = try headWithoutChecksum(key, response, over: &client, at: now) {
        return head
      }
      let (refusal, isReadable) = whyRefused(key, S3ErrorResponse(response), over: &client, at: now)
      guard isReadable, wish == .first,
        let head = try headWithoutChecksum(key, response, over: &client, at: now)
      else { throw .refused(.headObject, refusal) }
      return head
    case 400, 501:
      guard wish == .again || wish == .first && site.takeChecksumTrial(at: .now),
        let head = try headWithoutChecksum(key, response, over: &client, at: now)
      else { throw .refused(.headObject, S3ErrorResponse(response)) }
      return head
    default: throw .refused(.headObject, S3ErrorResponse(response))
    }
  }

  /// Asks without the checksum, and then once more with it: one refusal may have been for a moment's reason. Only a
  /// second one, under the same credential, ends the asking for checksums.
  ///
  /// - Parameter refusal: the answer to the first request, with the checksum.
  /// - Returns: nil when the checksum makes no difference.
  private func headWithoutChecksum<Client: HTTPSending & ~Copyable>(
    _ key: ObjectKey, _ refusal: HTTPResponse, over client: inout Client, at now: UnixTime
  ) throws(S3Error) -> ObjectHead? {
    let generation = generation(at: now)
    let plain = try sendHead(key, asksForChecksum: false, over: &client, at: now)
    guard plain.head.status == 200 else { return nil }
    guard let again = try? sendHead(key, asksForChecksum: true, over: &client, at: now) else {
      // It said nothing: the next refusal may find out.
      site.giveBackChecksumTrial()
      return try objectHead(plain)
    }
    if again.head.status == 200 { return try objectHead(again) }
    if again.head.status == refusal.head.status, generation == self.generation(at: now) {
      site.pauseChecksums(at: .now)
    }
    return try objectHead(plain)
  }

  private func generation(at now: UnixTime) -> Int? {
    site.signer(at: site.clock.time(at: now))?.generation
  }

  private func sendHead<Client: HTTPSending & ~Copyable>(
    _ key: ObjectKey, asksForChecksum: Bool, over client: inout Client, at now: UnixTime
  ) throws(S3Error) -> HTTPResponse {
    try send(
      .headObject, method: .head, key: key,
      fields: asksForChecksum ? [HTTPField("x-amz-checksum-mode", "ENABLED")] : [],
      over: &client, now: now)
  }

  private func objectHead(_ response: HTTPResponse) throws(S3Error) -> ObjectHead {
    guard let head = ObjectHead(response.head) else {
      throw .unexpectedAnswer(.headObject, reason: "status 200 without a Content-Length")
    }
    return head
  }

  /// The refusal of a HEAD with its code, which no answer to a HEAD can tell: the object's first byte is
  /// asked for, and refused with a document. At most once in some seconds; meanwhile the code is the same.
  ///
  /// - Returns: the refusal as it was, where nobody tells its code; and whether the byte was given.
  private func whyRefused<Client: HTTPSending & ~Copyable>(
    _ key: ObjectKey, _ refusal: S3ErrorResponse, over client: inout Client, at now: UnixTime
  ) -> (S3ErrorResponse, isReadable: Bool) {
    var answer = refusal
    var isReadable = false
    answer.code = site.codeOfRefusals {
      // What else happens to this request is no news of the first one.
      let response = try? send(
        .headObject, method: .get, key: key, fields: [HTTPField("Range", "bytes=0-0")],
        over: &client, now: now,
        bodyLimit: 64 << 10)
      guard let response else { return nil }
      isReadable = [200, 206].contains(response.head.status)
      return response.head.status == 403 ? S3ErrorResponse(response).code : nil
    }
    return (answer, isReadable)
  }
}
