internal import HTTPTransport
internal import Offload
internal import Registry
internal import S3
package import Settings

/// Whether clients take two hosts for the same one. Then they send the registry's credential to S3, which refuses a
/// request with two credentials.
///
/// Go's client keeps `Authorization` on a redirect to the same name, whatever the port, and to names below
/// it; most others go by the name alone.
///
/// Source: <https://pkg.go.dev/net/http#Client>, `shouldCopyHeaderOnRedirect`
func isSameHost(_ target: String, registry: String) -> Bool {
  let target = hostName(target)
  let registry = hostName(registry)
  guard !registry.isEmpty, !target.isEmpty else { return false }
  if target == registry { return true }
  let isAddress = registry.hasPrefix("[") || registry.utf8.allSatisfy { $0 < 0x3A }
  return !isAddress && target.hasSuffix(".\(registry)")
}

/// The name in `host`, `host:port`, or a URL, lower-case; empty in anything else.
func hostName(_ text: String) -> String {
  ((try? HTTPURL(text)) ?? (try? HTTPURL("https://\(text)")))?.host ?? ""
}

/// The names by which clients may know the registry, from the settings.
///
/// - Parameter front: the web server, if `check` has its URL.
package func clientsNames(ofRegistryIn settings: ProcessSettings, front: String? = nil) -> [String]
{
  let named = settings.registryHosts
  if let front { return named + [front] }
  // No setting names one: a registry often has the same name inside and outside.
  return named.isEmpty ? [settings.location.upstream.url] : named
}

/// The same-host trap, which `check` and the start of `serve` report.
package struct SameHostCheck {
  private let location: LocationSettings
  private let registryHosts: [String]

  package init(_ location: LocationSettings, registryHosts: [String]) {
    self.location = location
    self.registryHosts = registryHosts
  }

  /// What is wrong and what to do; `nil` when clients tell the hosts apart.
  package var finding: (String, advice: String)? {
    guard location.policy.delivery == .redirect else { return nil }
    let target = targetHost
    guard let registry = registryHosts.first(where: { isSameHost(target, registry: $0) }) else {
      return nil
    }
    return (
      "clients know the registry as \(hostName(registry)) and are sent to \(target): the same host, or one below "
        + "it, so many send their Authorization along, and S3 refuses with 400",
      "give S3 another name (BLOBLO_S3_PUBLIC_ENDPOINT_URL) that is neither the registry's nor below it; "
        + "another port is not enough. BLOBLO_DELIVERY=accelerate needs none"
    )
  }

  private var targetHost: String {
    if let cloudFront = location.cloudFront { return hostName("\(cloudFront.endpoint)") }
    return hostName(location.bucket.url(on: location.bucket.publicEndpoint))
  }

  /// Clients that are sent to an address of numbers.
  private func tellAddress(_ report: inout CheckReport) {
    guard location.policy.delivery == .redirect, isPrivateAddress(targetHost) else { return }
    report.warn(
      "public-address", "clients are sent to \(targetHost), a private address",
      advice:
        "crane, kaniko and cosign refuse such a redirect: set BLOBLO_S3_PUBLIC_ENDPOINT_URL to a host's name"
    )
  }

  /// - Parameter isSecondCredentialRefused: whether this S3 was seen to refuse such requests.
  package func run(_ report: inout CheckReport, isSecondCredentialRefused: Bool) {
    tellAddress(&report)
    if let (words, advice) = finding {
      if isSecondCredentialRefused {
        report.fail("same-host", words, advice: advice)
      } else {
        report.warn("same-host", words, advice: advice)
      }
    } else {
      report.ok("same-host", "clients tell \(targetHost) from the registry")
    }
  }
}
