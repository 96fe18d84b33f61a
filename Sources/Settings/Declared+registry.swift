internal import HTTPTransport
internal import Offload
internal import Registry
internal import S3

/// The registry.
extension Declared {
  package static let upstreamURL = Setting.text(
    "BLOBLO_UPSTREAM_URL", default: "http://localhost:6666",
    want: "http:// or https://, a host, and perhaps a port and a path"
  ) { readUpstreamURL($0) }
  .explained(
    .location, example: "http://127.0.0.1:5000", isGuarded: true,
    """
    The registry's own address, not that of the web server in front of it: http:// or \
    https://, a host, perhaps a port and a path.
    """)

  static let upstreamCheck = Setting.choice(
    "BLOBLO_UPSTREAM_CHECK", default: UpstreamRegistry.Check.auto
  )
  .explained(
    .location,
    """
    How bloblo asks whether a client may read a blob. head: by HEAD only. auto: by HEAD, \
    and by GET if the registry refuses HEAD. get: by GET after a 404 too, for Harbor's \
    proxy projects.
    """)

  static let upstreamRedirect = Setting.choice(
    "BLOBLO_UPSTREAM_REDIRECT", default: UpstreamRegistry.Redirect.digest
  )
  .explained(
    .location, isGuarded: true,
    """
    Which redirect of the registry proves that a client may read a blob. digest: a \
    redirect to a path with the blob's digest. any: every redirect. never: none.
    """)

  static let upstreamFollow = Setting.read(
    "BLOBLO_UPSTREAM_FOLLOW", default: FollowedHosts.none, as: "",
    want: "host or host:port, several separated by commas"
  ) { FollowedHosts($0) }
  .explained(
    .shared, default: "none", isGuarded: true,
    """
    Hosts to which fills may follow the registry's redirects: host or host:port, separated \
    by commas. They get no field of the client's. The web server's params can't set this.
    """)

  static let upstreamAuthorities = Setting.file("BLOBLO_UPSTREAM_CA_FILE")
    .explained(
      .shared, default: "the system's", example: "/etc/ssl/certs/registry-ca.pem",
      "A PEM file with the authorities that bloblo trusts for the registry.")

  static let upstreamTimeout = Setting.duration(
    "BLOBLO_UPSTREAM_TIMEOUT", default: .seconds(5), in: .milliseconds(100)...(.seconds(60))
  )
  .explained(
    .shared,
    """
    How long the registry may take to connect, and to send an answer's head: 100ms to \
    60s. A fill that no client reads along with fails when it gets less than 64 KiB in twelve \
    times that time.
    """)

  static let preserveHost = Setting.boolean("BLOBLO_PRESERVE_HOST", default: false)
    .explained(
      .location,
      "Whether bloblo sends the client's Host to the registry.")

  package static let registryHost = Setting.read(
    "BLOBLO_REGISTRY_HOST", default: [], as: "",
    want: "host or host:port, several separated by commas"
  ) { readRegistryHosts($0) }
  .explained(
    .process, default: "none", example: "registry.example.com",
    """
    The names by which clients know the registry, separated by commas. bloblo warm asks \
    for images of these hosts at BLOBLO_UPSTREAM_URL, with the login of the first; \
    bloblo warns when S3 has one of these names.
    """)

  package static let checkAuthorization = Setting.optional("BLOBLO_CHECK_AUTHORIZATION")
    .explained(
      .process, default: "none", isSecret: true,
      """
      The Authorization, such as "Basic …", that bloblo check sends to the registry as a \
      client.
      """)
}
