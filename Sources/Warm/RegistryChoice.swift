package import HTTPTransport
package import Registry

/// Chooses the registry that has an image, and the login for it.
package struct RegistryChoice: Sendable {
  /// `http://host[:port][/prefix]`: for an image that names no host, or one of `names`.
  let url: String
  /// The names by which clients know that registry.
  let names: [String]
  /// Whether `url` is asked for every image, whatever host the image names.
  let isForAllImages: Bool
  /// Whether hosts beyond the loopback are asked by http.
  let isPlainHTTP: Bool
  let limits: HTTPLimits
  let followedHosts: FollowedHosts
  let docker: DockerConfiguration

  package init(
    url: String, names: [String], isForAllImages: Bool, isPlainHTTP: Bool, limits: HTTPLimits,
    followedHosts: FollowedHosts, docker: DockerConfiguration
  ) {
    self.url = url
    self.names = names
    self.isForAllImages = isForAllImages
    self.isPlainHTTP = isPlainHTTP
    self.limits = limits
    self.followedHosts = followedHosts
    self.docker = docker
  }

  func session(for reference: ImageReference) -> RegistrySession {
    // The login for a name is not used for whatever --registry says.
    let name = reference.host ?? (isForAllImages ? nil : names.first)
    return RegistrySession(
      reference, at: url(for: reference), docker: docker,
      login: name.flatMap { docker.credential(for: $0) }, limits: limits, following: followedHosts)
  }

  private func url(for reference: ImageReference) -> String {
    guard !isForAllImages, let host = reference.host, !names.contains(host) else { return url }
    return reference.url(on: host, isPlain: isPlainHTTP)
  }
}
