/// What a signature is good for: `20130524/us-east-1/s3/aws4_request`.
package struct CredentialScope: Sendable {
  package let date: AmazonDate
  package let region: String
  /// `s3`, `sts`.
  package let service: String

  package init(date: AmazonDate, region: String, service: String) {
    self.date = date
    self.region = region
    self.service = service
  }

  package var string: String {
    var text: [UInt8] = []
    append(to: &text)
    return String(decoding: text, as: UTF8.self)
  }

  /// - Parameter slash: `/`, or what stands for it in a query.
  func append(slash: StaticString = "/", to text: inout [UInt8]) {
    func appendSlash() {
      slash.withUTF8Buffer { unsafe text.append(contentsOf: $0) }
    }
    date.appendDay(to: &text)
    appendSlash()
    text.append(contentsOf: region.utf8)
    appendSlash()
    text.append(contentsOf: service.utf8)
    appendSlash()
    text.append(contentsOf: "aws4_request".utf8)
  }
}
