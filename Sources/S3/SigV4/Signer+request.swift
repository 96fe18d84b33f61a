package import HTTPTransport
internal import Hashing
package import Primitives

extension Signer {
  /// Signs a request in its head: `x-amz-date`, `x-amz-content-sha256`, `x-amz-security-token` when
  /// there is one, and `Authorization`. Fields that are to be signed are there before.
  ///
  /// - Parameter request: its URL is absolute, its path and query percent-encoded as SigV4 wants.
  ///
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
  package func sign(_ request: inout HTTPRequest, payloadHash: PayloadHash, now: UnixTime) {
    let date = AmazonDate(now)
    let scope = scope(on: date)
    let ours = ["authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"]
    // A request that is repeated is signed again.
    request.fields.removeAll { ours.contains($0.name.lowercased()) }
    request.fields.append(HTTPField("x-amz-date", date.string))
    request.fields.append(HTTPField("x-amz-content-sha256", payloadHash.text))
    if let token = credential.sessionToken {
      request.fields.append(HTTPField("x-amz-security-token", token.exposed))
    }
    let canonicalRequest = CanonicalRequest(request, payloadHash: payloadHash)
    let stringToSign = StringToSign(canonicalRequest, date: date, scope: scope)
    let signature = Hex.string(signature(of: stringToSign, on: date).span)
    request.fields.append(
      HTTPField(
        "Authorization",
        "AWS4-HMAC-SHA256 Credential=\(credential.accessKeyID)/\(scope.string),"
          + "SignedHeaders=\(canonicalRequest.signedHeaders),Signature=\(signature)"))
  }
}
