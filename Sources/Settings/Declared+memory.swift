internal import Offload

/// What is remembered.
extension Declared {
  static let proofLife = Setting.duration(
    "BLOBLO_PROOF_TTL", default: .seconds(30), in: .zero...(.seconds(86_400))
  )
  .explained(
    .process,
    "How long the registry's yes to a client holds; 0s asks every time.")

  static let proofScope = Setting.choice("BLOBLO_PROOF_SCOPE", default: ProofScope.blob)
    .explained(
      .process,
      "For what a yes holds. blob. repository: for all blobs that are known to be in it.")

  static let proofIdentity = Setting.choice("BLOBLO_PROOF_IDENTITY", default: ProofIdentity.request)
    .explained(
      .process,
      """
      Who shares a yes. request: clients that ask in all the same way, address and user \
      agent included. credential: clients with the same Authorization, which is right only \
      for a registry that decides by it alone.
      """)

  static let staleProofLife = Setting.duration(
    "BLOBLO_PROOF_STALE", default: .zero, in: .zero...(.seconds(86_400))
  )
  .explained(
    .process,
    "How much longer it holds while the registry does not answer.")

  static let presenceLife = Setting.duration(
    "BLOBLO_PRESENCE_TTL", default: .seconds(300), in: .zero...(.seconds(604_800))
  )
  .explained(
    .process,
    "How long an object counts as present after S3 said so.")

  static let lookAsClient = Setting.read(
    "BLOBLO_LOOK_AS_CLIENT", default: true, as: "on", want: "on or off"
  ) { ["on": true, "off": false][$0.lowercased()] }
  .explained(
    .process,
    """
    Read one byte through the URL that clients get, every second while they get one; when \
    that fails, blobs pass. off: where this host can't reach the public endpoint, and \
    clients can (split horizon); that is the default with BLOBLO_USE_LOCALSTACK.
    """)

  static let presenceLooks = Setting.number("BLOBLO_PRESENCE_LOOKS", default: 20, in: 0...1000)
    .explained(
      .process,
      """
      Looks a second into one bucket, at most, at objects that clients were sent to, so \
      that bloblo finds a deleted object before clients do. Each is a HEAD, which S3 \
      charges for; 0 for none.
      """)

  static let cacheExpirationMinutes = Setting.number(
    "BLOBLO_CACHE_EXPIRATION_MINUTES", default: 10, in: 0...1440
  )
  .explained(
    .process,
    """
    How long pings and tokens are remembered at most, in minutes, where the web server \
    routes them here; 0 for not at all.
    """)
}
