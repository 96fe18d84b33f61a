internal import Foundation
package import HTTPTransport

/// One HTTP answer as a client sees it. Redirects are not followed.
package struct Answer: Sendable {
  package let status: Int
  package let fields: [HTTPField]
  package let body: [UInt8]
  /// Whether the body came to the end that its head promised.
  package let isWhole: Bool

  package subscript(name: String) -> String? { fields.first(named: HTTPField.Name(name))?.text }

  package var text: String { String(decoding: body, as: UTF8.self) }
}

/// curl, the client of the tests.
package enum Curl {
  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  /// - Parameters:
  ///   - fields: lines of the request's head, `Name: value`.
  ///   - options: more of curl's own.
  package static func ask(
    _ method: String = "GET", _ url: String, _ fields: [String] = [], body: [UInt8]? = nil,
    options: [String] = []
  ) throws -> Answer {
    // --disable: nobody's ~/.curlrc. The head comes on the error stream's place, a file of its own.
    let head = NSTemporaryDirectory() + "bloblo-head-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: head) }
    var words = [
      "curl", "--disable", "-sS", "--http1.1", "--noproxy", "*", "--path-as-is", "-g",
      "--max-time", "\(patience.components.seconds)", "-D", head,
    ]
    words += method == "HEAD" ? ["-I", "-o", "/dev/null"] : ["-X", method]
    for field in fields { words += ["-H", field] }
    if body != nil {
      words += [
        "--data-binary", "@-", "-H", "Expect:", "-H", "Content-Type: application/octet-stream",
      ]
    }
    let result = try Program.run(words + options + [url], input: body ?? [])
    let text = (try? String(contentsOfFile: head, encoding: .isoLatin1)) ?? ""
    guard let parsed = parse(text) else {
      throw Failure(
        description: "curl \(method) \(url): exit \(result.status): \(result.errors)")
    }
    Written.used(fields + parsed.fields.map { "\($0.name): \($0.text)" })
    return Answer(
      status: parsed.status, fields: parsed.fields, body: result.output,
      isWhole: result.status == 0)
  }

  /// Reads the last of the heads; those before it are interim.
  private static func parse(_ text: String) -> (status: Int, fields: [HTTPField])? {
    let heads = text.split(separator: "\r\n\r\n", omittingEmptySubsequences: true)
    guard let lines = heads.last?.split(separator: "\r\n"), let first = lines.first,
      let status = first.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
    else { return nil }
    let fields = lines.dropFirst().compactMap { line -> HTTPField? in
      guard let colon = line.firstIndex(of: ":") else { return nil }
      return HTTPField(
        String(line[..<colon]),
        line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces))
    }
    return (status, fields)
  }
}
