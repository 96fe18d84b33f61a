internal import HTTPTransport
internal import Primitives
internal import XML

/// An error response of S3.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
package struct S3ErrorResponse: Hashable, Sendable, CustomStringConvertible {
  /// Longest message kept, in characters: the sentence is the server's.
  private static let messageLimit = 300

  package let status: Int
  /// `NoSuchBucket`, `AccessDenied`…; nil when the response has no body, as to HEAD, or one that is
  /// not S3's.
  package internal(set) var code: String?
  package let message: String?
  /// The region that the bucket is in, when S3 says so (`x-amz-bucket-region`).
  package let bucketRegion: String?

  package init(
    status: Int, code: String? = nil, message: String? = nil, bucketRegion: String? = nil
  ) {
    self.status = status
    self.code = code
    self.message = message
    self.bucketRegion = bucketRegion
  }

  /// The server can't do what a field asked for, a condition say: without it, it might.
  package var isNotImplemented: Bool { status == 501 || code == "NotImplemented" }

  /// What was signed with is not known, or no longer.
  ///
  /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList>
  package var isCredentialError: Bool {
    ["ExpiredToken", "InvalidToken", "TokenRefreshRequired", "InvalidAccessKeyId"].contains(code)
  }

  /// S3 answers, knows the caller, and denies the operation. So it also answers for an object that is not
  /// there, to those who may not list the bucket.
  package var isAccessDenied: Bool { status == 403 && code == "AccessDenied" }

  package var description: String {
    var text = "status \(status)"
    if let code { text += " \(code)" }
    if let message { text += ": \(message)" }
    if let bucketRegion { text += " (the bucket is in region \(bucketRegion))" }
    return text
  }
}

extension S3ErrorResponse {
  /// - Parameter body: of a response that this room did not ask for, as a client's.
  package init(status: Int, body: [UInt8]) {
    self.init(HTTPResponse(head: HTTPResponseHead(status: status, fields: []), body: body))
  }

  init(_ response: HTTPResponse) {
    // What is not XML is a proxy's page, and tells no more than its status.
    let document = try? XMLElement(parsing: Self.withoutPadding(response.body))
    let error = document.flatMap { Self.error(in: $0) }
    self.init(
      status: response.head.status, code: error?.text(of: "Code")?.printable,
      message: error?.text(of: "Message").map { String($0.prefix(Self.messageLimit)).printable },
      bucketRegion: response.head.fields.first(named: "x-amz-bucket-region")?.text
        ?? (error?.text(of: "Code") == "AuthorizationHeaderMalformed"
          ? error?.text(of: "Region") : nil))
  }

  /// Without the white space that S3-compatible servers send before the document while they work.
  static func withoutPadding(_ body: [UInt8]) -> [UInt8] {
    Array(body.drop { $0 == 0x20 || (0x09...0x0D).contains($0) })
  }

  /// `<Error>`, or the same within `<ErrorResponse>` as AWS's other services have it.
  static func error(in document: XMLElement) -> XMLElement? {
    switch document.name {
    case "Error": document
    case "ErrorResponse": document.first("Error")
    default: nil
    }
  }
}
