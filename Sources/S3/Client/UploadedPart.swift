/// A part that S3 has.
package struct UploadedPart: Hashable, Sendable {
  package static let numbers = 1...10_000

  package let number: Int
  /// With its quotes.
  package let eTag: String
  /// nil where the server takes none.
  package let checksum: PartChecksum?

  package init(number: Int, eTag: String, checksum: PartChecksum?) {
    self.number = number
    self.eTag = eTag
    self.checksum = checksum
  }

  /// The body of CompleteMultipartUpload.
  static func document(of parts: [UploadedPart]) -> [UInt8] {
    var text = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
    for part in parts {
      text += "<Part><PartNumber>\(part.number)</PartNumber><ETag>\(escaped(part.eTag))</ETag>"
      if let sum = part.checksum {
        let name = "Checksum\(sum.algorithm.rawValue)"
        text += "<\(name)>\(sum.base64)</\(name)>"
      }
      text += "</Part>"
    }
    text += "</CompleteMultipartUpload>"
    return Array(text.utf8)
  }

  private static func escaped(_ text: String) -> String {
    var escaped = ""
    for character in text {
      switch character {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      default: escaped.append(character)
      }
    }
    return escaped
  }
}
