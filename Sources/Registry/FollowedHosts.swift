internal import HTTPTransport

/// The hosts to which a fill may follow a redirect of the registry's: `BLOBLO_UPSTREAM_FOLLOW`.
///
/// Only what is named, by its exact name: a registry that redirects must not have bloblo read whatever answers on
/// a loopback or link-local address, unless the operator has named that.
package struct FollowedHosts: Sendable, Equatable {
  /// A redirect that is not followed.
  package enum Refusal: Error, Sendable, Equatable {
    /// It leads to this host, with its port where that is not the scheme's own.
    case notNamed(String)
    /// From https to http.
    case downgrade(String)
    /// No absolute or relative http(s) URL, or one with a user or control characters.
    case unreadable
  }

  /// `host`, or `host:port`; lower-case.
  private let names: Set<String>

  /// As the setting has it, with one more.
  package func text(with host: String) -> String {
    (names.sorted() + (names.contains(host) ? [] : [host])).joined(separator: ",")
  }

  /// Nobody is followed.
  package static let none = FollowedHosts(names: [])

  package var isEmpty: Bool { names.isEmpty }

  private init(names: Set<String>) { self.names = names }

  /// - Parameter text: `host[:port],…`; an IPv6 address in its brackets.
  /// - Returns: nil when one of them is something else.
  package init?(_ text: String) {
    var names: Set<String> = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let name = String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        .lowercased()
      guard let url = try? HTTPURL("https://\(name)/"), url.target == "/", !url.hasFragment else {
        return nil
      }
      // A port that is the scheme's own is said all the same: it is for that one alone.
      names.insert(name)
    }
    self.names = names
  }

  /// Where a redirect leads, if it may be followed.
  ///
  /// - Parameters:
  ///   - location: the value of `Location`.
  ///   - url: absolute, of the request that was answered.
  package func target(of location: [UInt8], from url: String) throws(Refusal) -> String {
    guard let base = try? HTTPURL(url), let target = try? HTTPURL(location: location, from: base)
    else { throw .unreadable }
    guard base.scheme == .http || target.scheme == .https else {
      throw .downgrade(target.authority)
    }
    let isNamed =
      names.contains("\(target.host):\(target.port)")
      || target.namedPort == nil && names.contains(target.host)
    guard isNamed else { throw .notNamed(target.authority) }
    return target.description
  }
}

extension FollowedHosts.Refusal: CustomStringConvertible {
  /// No path and no query: they may be signatures.
  package var description: String {
    switch self {
    case .notNamed(let host):
      "it redirects to \(host): a fill follows there if BLOBLO_UPSTREAM_FOLLOW names it"
    case .downgrade(let host): "it redirects from https to http, on \(host)"
    case .unreadable: "it redirects to something that is not an http or https URL"
    }
  }
}
