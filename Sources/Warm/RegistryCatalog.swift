internal import FoundationEssentials
package import HTTPTransport
internal import Registry

/// The lists of a registry: its repositories, and the tags of one.
///
/// Source: OCI distribution-spec, end-8; <https://distribution.github.io/distribution/spec/api/#listing-repositories>
package struct RegistryCatalog {
  /// No list has more pages: a registry that repeats itself would cause an endless loop.
  private static let pageLimit = 100_000

  private struct Names: Decodable {
    var repositories: [String]?
    var tags: [String]?
  }

  /// `http://host[:port][/prefix]`.
  let url: String
  let limits: HTTPLimits
  let credential: RegistryCredential?

  package init(url: String, limits: HTTPLimits, credential: RegistryCredential?) {
    self.url = url
    self.limits = limits
    self.credential = credential
  }

  /// All repositories that this credential may see.
  func repositories(over http: inout HTTPClient) throws(WarmError) -> [RepositoryName] {
    let names = try list("/v2/_catalog?n=1000", scope: "registry:catalog:*", over: &http)
    guard let names else {
      throw WarmError(
        "the registry has no catalogue (404): name its repositories by --repository")
    }
    return names.compactMap { RepositoryName($0) }
  }

  /// The tags of a repository; none when it is not there any more.
  func tags(of name: RepositoryName, over http: inout HTTPClient) throws(WarmError) -> [String] {
    try list("/v2/\(name)/tags/list?n=1000", scope: "repository:\(name):pull", over: &http) ?? []
  }

  /// - Returns: `nil` when the registry says 404.
  private func list(
    _ path: String, scope: String, over http: inout HTTPClient
  ) throws(WarmError) -> [String]? {
    let authority = RegistryAuthority(
      isPlain: url.hasPrefix("http:"), scope: scope, limits, credential)
    var names: [String] = []
    var next: String? = path
    var pages = 0
    while let target = next {
      pages += 1
      guard pages <= Self.pageLimit else { throw WarmError("\(path): the list has no end") }
      let request = HTTPRequest(.get, url + target, limits: limits)
      let response = try authority.authorized(request, over: &http) {
        request, http throws(TransportError) in
        try http.send(request, bodyLimit: 16 << 20)
      }
      switch response.head.status {
      case 200: break
      case 404: return nil
      case let status where [401, 403].contains(status):
        throw WarmError("\(path): the registry refuses this credential (\(status))")
      case let status: throw WarmError("\(path): the registry answers \(status)")
      }
      guard let page = try? JSONDecoder().decode(Names.self, from: Data(response.body)) else {
        throw WarmError("\(path): the registry's answer is no list")
      }
      names += page.repositories ?? page.tags ?? []
      next = response.head.fields.first(named: "link").flatMap { Self.next(in: $0.text) }
    }
    return names
  }

  /// The path of `<…/v2/…>; rel="next"`. Its host is dropped: the registry names the web server there.
  ///
  /// Source: RFC 8288 §3.
  static func next(in link: String) -> String? {
    guard link.contains("next"), let open = link.firstIndex(of: "<"),
      let close = link[open...].firstIndex(of: ">")
    else { return nil }
    let target = link[open..<close]
    return target.indices.first { target[$0...].hasPrefix("/v2/") }.map { String(target[$0...]) }
  }
}
