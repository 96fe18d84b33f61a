internal import HTTPTransport
internal import XML

extension BucketClient {
  /// The root of an answer that is a document; also with status 200 it may be an error, for S3 begins
  /// to answer before it knows.
  func document(
    _ operation: S3Error.Operation, name: String, in response: HTTPResponse
  ) throws(S3Error) -> XMLElement {
    guard response.head.status == 200 else { throw .refused(operation, S3ErrorResponse(response)) }
    let document: XMLElement
    do {
      document = try XMLElement(parsing: S3ErrorResponse.withoutPadding(response.body))
    } catch {
      throw .unexpectedAnswer(operation, reason: "status 200 with \(error)")
    }
    if S3ErrorResponse.error(in: document) != nil {
      throw .refused(operation, S3ErrorResponse(response))
    }
    guard document.name == name else {
      throw .unexpectedAnswer(operation, reason: "want <\(name)>, got <\(document.name)>")
    }
    return document
  }
}
