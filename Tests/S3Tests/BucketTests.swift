import S3
import Testing

struct BucketTests {
  struct EndpointCase: Sendable {
    var text: String
    var description: String
    var authority: String
    var pathPrefix = ""
  }

  @Test(arguments: [
    EndpointCase(
      text: "http://minio:9000", description: "http://minio:9000", authority: "minio:9000"),
    EndpointCase(
      text: "HTTPS://S3.Example.COM/", description: "https://s3.example.com",
      authority: "s3.example.com"),
    EndpointCase(text: "http://h:80", description: "http://h", authority: "h"),
    EndpointCase(text: "https://h:443/", description: "https://h", authority: "h"),
    EndpointCase(text: "http://h:443", description: "http://h:443", authority: "h:443"),
    EndpointCase(text: "https://h:0080/", description: "https://h:80", authority: "h:80"),
    EndpointCase(
      text: "http://[2001:DB8::1]:9000", description: "http://[2001:db8::1]:9000",
      authority: "[2001:db8::1]:9000"),
    EndpointCase(text: "https://[::1]", description: "https://[::1]", authority: "[::1]"),
    EndpointCase(
      text: "http://127.0.0.1:8333", description: "http://127.0.0.1:8333",
      authority: "127.0.0.1:8333"),
    EndpointCase(
      text: "https://h/a/b~c//", description: "https://h/a/b~c", authority: "h",
      pathPrefix: "/a/b~c"),
  ])
  func `an endpoint is read`(it: EndpointCase) throws {
    let endpoint = try Endpoint(it.text)
    #expect(endpoint.description == it.description)
    #expect(endpoint.authority == it.authority)
    #expect(endpoint.pathPrefix == it.pathPrefix)
  }

  @Test(arguments: [
    ("", "want http:// or https:// first"), ("h:9000", "want http:// or https:// first"),
    ("ftp://h", "want http:// or https:// first"), ("http:/h", "want http:// or https:// first"),
    ("http://u:secret@h", "want no user, query or fragment"),
    ("http://h?x", "want no user, query or fragment"),
    ("http://h/#x", "want no user, query or fragment"),
    ("http://", "want a host of letters, digits, dots and hyphens"),
    ("http://a b", "want a host of letters, digits, dots and hyphens"),
    ("http://bücher", "want a host of letters, digits, dots and hyphens"),
    ("http://h\r\nX: y", "want a host of letters, digits, dots and hyphens"),
    ("http://h:", "want a port of 1 to 65535"), ("http://h:0", "want a port of 1 to 65535"),
    ("http://h:65536", "want a port of 1 to 65535"), ("http://h:+1", "want a port of 1 to 65535"),
    ("http://::1", "want a host of letters, digits, dots and hyphens"),
    ("http://[::1", "an IPv6 address without its ]"),
    ("http://[::1]9000", "want nothing or a port after ]"),
    ("http://[]", "want an IPv6 address in the brackets"),
    ("http://[fe80::1%25eth0]", "want an IPv6 address in the brackets"),
    ("http://h/a%20b", "want a path of letters, digits and -._~ between slashes"),
    ("http://h/a//b", "want a path of letters, digits and -._~ between slashes"),
    ("http://h/a/../b", "want a path of letters, digits and -._~ between slashes"),
  ])
  func `what is no endpoint is refused, and not repeated`(text: String, reason: String) {
    #expect(throws: S3Error.invalidEndpoint(reason: reason)) { try Endpoint(text) }
  }

  @Test(arguments: [
    ("eu-central-1", "https://s3.eu-central-1.amazonaws.com"),
    ("us-east-1", "https://s3.us-east-1.amazonaws.com"),
    ("us-gov-west-1", "https://s3.us-gov-west-1.amazonaws.com"),
    ("cn-north-1", "https://s3.cn-north-1.amazonaws.com.cn"),
  ])
  func `AWS has an endpoint a region`(region: String, url: String) throws {
    #expect(try Endpoint.aws(region: region).description == url)
  }

  @Test(arguments: ["", "a/b", "a b", "a.b", "é"])
  func `what is no region is refused`(region: String) {
    #expect(throws: S3Error.invalidRegion(region)) { try Bucket("bucket", region: region) }
    #expect(throws: S3Error.invalidRegion(region)) { try Endpoint.aws(region: region) }
  }

  @Test func `the style follows the endpoint`() throws {
    let minio = try Endpoint("http://minio:9000")
    #expect(try Bucket("bucket", region: "r").style == .virtual)
    #expect(try Bucket("a.bucket", region: "r").style == .path)
    #expect(try Bucket("bucket", region: "r", endpoint: minio).style == .path)
    #expect(try Bucket("bucket", region: "r", endpoint: minio, style: .virtual).style == .virtual)
  }

  @Test(arguments: [
    (AddressingStyle.path, "http://h:9000", "http://h:9000/bucket/a/b%20c", "http://h:9000/bucket"),
    (.path, "https://h/p", "https://h/p/bucket/a/b%20c", "https://h/p/bucket"),
    (.virtual, "http://h:9000", "http://bucket.h:9000/a/b%20c", "http://bucket.h:9000/"),
    (.virtual, "https://h/p", "https://bucket.h/p/a/b%20c", "https://bucket.h/p/"),
  ])
  func `an object has a URL`(style: AddressingStyle, endpoint: String, url: String, own: String)
    throws
  {
    let bucket = try Bucket("bucket", region: "r", endpoint: Endpoint(endpoint), style: style)
    #expect(try bucket.url(for: ObjectKey("a/b c"), on: bucket.endpoint) == url)
    #expect(bucket.url(on: bucket.endpoint) == own)
  }

  @Test(arguments: [
    "abc", "a.b", "0-9", String(repeating: "a", count: 63), "my-bucket.example.com",
  ])
  func `a bucket's name is taken`(name: String) throws {
    #expect(try Bucket(name, region: "r", endpoint: Endpoint("http://h")).name == name)
  }

  @Test(arguments: [
    "", "ab", String(repeating: "a", count: 64), "Abc", "a_b", "a/b", "-ab", "ab-", ".ab", "a..b",
    "bücher", "a b",
  ])
  func `what is no bucket's name is refused`(name: String) {
    let error = #expect(throws: S3Error.self) { try Bucket(name, region: "r") }
    guard case .invalidBucketName(name, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func `virtual addressing needs a name that a certificate covers, on a host with a name`() {
    let dotted = #expect(throws: S3Error.self) {
      try Bucket("a.bucket", region: "r", style: .virtual)
    }
    #expect(dotted?.description.contains("certificate") == true)
    for address in ["http://127.0.0.1:9000", "https://[::1]"] {
      let error = #expect(throws: S3Error.self) {
        try Bucket("bucket", region: "r", endpoint: Endpoint(address), style: .virtual)
      }
      #expect(error?.description.contains("host name") == true)
    }
    #expect(throws: Never.self) {
      try Bucket("a.bucket", region: "r", endpoint: Endpoint("http://h"), style: .virtual)
    }
  }
}
