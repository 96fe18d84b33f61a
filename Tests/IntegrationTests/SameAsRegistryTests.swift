import Foundation
import TestSupport
import Testing

/// Every row is asked of the registry itself and through nginx and bloblo.
@Suite struct SameAsRegistryTests {
  static let compared = [
    "content-length", "docker-content-digest", "content-type", "etag", "accept-ranges",
    "content-range", "www-authenticate", "docker-distribution-api-version", "allow",
    "cache-control",
  ]

  struct Row: CustomStringConvertible, Sendable {
    var method = "GET"
    /// `{blob}` and `{sha}` stand for a blob that is there and its hexadecimal.
    var target: String
    var fields: [String] = []
    /// The warm blob's bytes may come from S3.
    var mayRedirect = false

    var description: String { "\(method) \(target) \(fields)" }
  }

  static let rows: [Row] = [
    Row(method: "HEAD", target: "/v2/same/x/blobs/{blob}"),
    Row(target: "/v2/same/x/blobs/{blob}", mayRedirect: true),
    Row(target: "/v2/same/x/blobs/{blob}?ns=docker.io", mayRedirect: true),
    Row(method: "HEAD", target: "/v2/same/x/blobs/{blob}?ns=docker.io"),
    Row(target: "/v2/same/x/blobs/{blob}", fields: ["Range: bytes=5-9"], mayRedirect: true),
    Row(target: "/v2/same/x/blobs/{blob}", fields: ["Range: bytes=-7"], mayRedirect: true),
    Row(target: "/v2/same/x/blobs/{blob}", fields: ["Range: bytes=100-"], mayRedirect: true),
    Row(target: "/v2/same/x/blobs/{blob}", fields: ["Range: lines=1-2"]),
    Row(method: "HEAD", target: "/v2/same/x/blobs/{blob}", fields: ["Range: bytes=5-9"]),
    Row(target: "/v2/same/x/blobs/{blob}", fields: ["If-None-Match: \"{blob}\""]),
    Row(target: "/v2/same/x/blobs/{blob}", fields: ["If-None-Match: \"another\""]),
    Row(method: "HEAD", target: "/v2/same/x/blobs/{blob}", fields: ["If-None-Match: \"{blob}\""]),
    Row(target: "/v2/same/x/blobs/{blob}", fields: ["If-Match: \"another\""]),
    Row(target: "/v2/same/other/blobs/{blob}"),
    Row(method: "HEAD", target: "/v2/same/other/blobs/{blob}"),
    Row(target: "/v2/same/x/blobs/sha256:" + String(repeating: "0", count: 64)),
    Row(method: "HEAD", target: "/v2/same/x/blobs/sha256:" + String(repeating: "0", count: 64)),
    Row(target: "/v2/same/x/blobs/sha256:abc"),
    Row(target: "/v2/same/x/blobs/sha256:" + String(repeating: "F", count: 64)),
    Row(target: "/v2/same/x/blobs/md5:00000000000000000000000000000000"),
    Row(target: "/v2/same/x/blobs/{sha}"),
    Row(target: "/v2/same/x/blobs/sha256%3a{sha}"),
    Row(target: "/v2/same%2Fx/blobs/{blob}"),
    Row(target: "//v2//same/x/blobs/{blob}"),
    Row(target: "/v2/same/y/../x/blobs/{blob}"),
    Row(target: "/v2/SAME/x/blobs/{blob}"),
    Row(target: "/v2/same/x/blobs/{blob}/"),
    Row(method: "DELETE", target: "/v2/same/x/blobs/sha256:" + String(repeating: "0", count: 64)),
    Row(method: "POST", target: "/v2/same/x/blobs/{blob}"),
    Row(method: "PATCH", target: "/v2/same/x/blobs/{blob}"),
    Row(method: "PUT", target: "/v2/same/x/blobs/{blob}"),
    Row(method: "OPTIONS", target: "/v2/same/x/blobs/{blob}"),
    Row(target: "/v2/"),
    Row(target: "/v2/same/x/tags/list"),
    Row(target: "/v2/same/x/manifests/none"),
    Row(target: "/v2/same/x/blobs/uploads/nothing"),
  ]

  @Test func `nothing differs from the registry but where the bytes come from`() throws {
    let site = try Site()
    for isWarm in [false, true] {
      // Cold in the first round, but for what the round itself brings into the bucket.
      for row in Self.rows {
        let blob = TestBlob(count: 2000)
        try site.ground.push(blob, to: "same/x")
        if isWarm { try site.bucket.put(blob.key, blob.bytes) }
        func filledIn(_ text: String) -> String {
          var text = text
          for (name, value) in [("{blob}", blob.key), ("{sha}", String(blob.key.dropFirst(7)))] {
            while let range = text.range(of: name) { text.replaceSubrange(range, with: value) }
          }
          return text
        }
        for credential in [Site.credential, []] {
          let target = filledIn(row.target)
          let fields = row.fields.map(filledIn) + credential
          let direct = try Curl.ask(row.method, site.ground.registryURL + target, fields)
          let answer = try site.ask(row.method, target, fields)
          if answer.status == 307, let location = answer["location"] {
            #expect(isWarm && row.mayRedirect && !credential.isEmpty, "\(row)")
            #expect(answer["docker-content-digest"] == direct["docker-content-digest"])
            let last = try Curl.ask("GET", location, row.fields)
            #expect(last.body == direct.body, "\(row)")
            #expect(last.status == direct.status, "\(row)")
            #expect(last["content-range"] == direct["content-range"], "\(row)")
            continue
          }
          #expect(!(isWarm && row.mayRedirect && !credential.isEmpty), "no redirect: \(row)")
          #expect(answer.status == direct.status, "\(row) warm: \(isWarm)")
          #expect(
            plain(answer.text, answer) == plain(direct.text, direct), "\(row) warm: \(isWarm)")
          for name in Self.compared {
            #expect(
              answer[name].map { plain($0, answer) } == direct[name].map { plain($0, direct) },
              "\(name) of \(row) warm: \(isWarm)")
          }
        }
      }
    }
    #expect(site.secretsInLog.isEmpty)
  }

}

/// The text without the boundary of a multipart answer, which is another each time.
private func plain(_ text: String, _ answer: Answer) -> String {
  guard let type = answer["content-type"], let range = type.range(of: "boundary=") else {
    return text
  }
  return text.replacingOccurrences(of: type[range.upperBound...], with: "boundary")
}
