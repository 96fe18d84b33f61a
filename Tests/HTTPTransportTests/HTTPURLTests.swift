import HTTPTransport
import Testing

struct HTTPURLTests {
  struct Case: Sendable {
    var text: String
    var origin: String
    var host = "h"
    var port: UInt16 = 80
    var target = "/"
    var hasFragment = false
  }

  @Test(arguments: [
    Case(text: "http://h", origin: "http://h"),
    Case(text: "HTTP://H:80/", origin: "http://h"),
    Case(text: "https://h", origin: "https://h", port: 443),
    Case(text: "https://h:80/a", origin: "https://h:80", target: "/a"),
    Case(text: "https://h:0443", origin: "https://h", port: 443),
    Case(text: "http://h?q=/a:b@c", origin: "http://h", target: "/?q=/a:b@c"),
    Case(
      text: "http://h/a//b/../%2f?x#y", origin: "http://h", target: "/a//b/../%2f?x",
      hasFragment: true),
    Case(text: "http://h#", origin: "http://h", hasFragment: true),
    Case(
      text: "https://[2001:DB8::1]:8443/v2/", origin: "https://[2001:db8::1]:8443",
      host: "[2001:db8::1]", port: 8443, target: "/v2/"),
    Case(
      text: "http://a-b_c.example.:65535", origin: "http://a-b_c.example.:65535",
      host: "a-b_c.example.", port: 65535),
  ])
  func `a URL is taken apart`(it: Case) throws {
    let url = try HTTPURL(it.text)
    #expect(url.origin == it.origin)
    #expect(url.host == it.host)
    #expect(url.port == it.port)
    #expect(url.target == it.target)
    #expect(url.hasFragment == it.hasFragment)
    #expect(try HTTPURL("\(url)").description == "\(url)", "its own text reads the same")
  }

  @Test(arguments: [
    ("", HTTPURLError.scheme), ("h", .scheme), ("h:80", .scheme), ("ftp://h", .scheme),
    ("//h", .scheme), ("http:/h", .scheme), (" http://h", .scheme), ("http://u:p@h", .user),
    ("http://u@h", .user), ("http://", .host), ("http:///a", .host), ("http://:80", .host),
    ("http://a b", .host), ("http://h\r\nX: y", .host), ("http://bücher", .host),
    ("http://h\\@x", .user), ("http://h%2f", .host), ("http://::1", .host),
    ("http://h:", .port), ("http://h:0", .port), ("http://h:65536", .port), ("http://h:+1", .port),
    ("http://h:8 0", .port), ("http://[::1", .openBracket), ("http://[::1]9", .afterBracket),
    ("http://[]", .address), ("http://[fe80::1%25eth0]", .address), ("http://[g::1]", .address),
    ("http://h/a b", .target), ("http://h/\r\nX: y", .target), ("http://h/ü", .target),
  ])
  func `what is no URL is refused, with its fault`(text: String, fault: HTTPURLError) {
    #expect(throws: fault) { try HTTPURL(text) }
  }

  @Test(arguments: [
    ("/b?c", "https://h:8443/b?c"), ("//x/b", "https://x/b"), ("http://x", "http://x/"),
    ("https://H:8443/b", "https://h:8443/b"),
  ])
  func `a redirect's target may be a path`(location: String, target: String) throws {
    let url = try HTTPURL(location: Array(location.utf8), from: HTTPURL("https://h:8443/a?q"))
    #expect("\(url)" == target)
  }

  @Test(arguments: ["", "b", "?c", "../b", "//", "///b", "mailto:a"])
  func `a relative path is no redirect's target`(location: String) throws {
    let base = try HTTPURL("https://h/a")
    #expect(throws: HTTPURLError.self) { try HTTPURL(location: Array(location.utf8), from: base) }
  }
}
