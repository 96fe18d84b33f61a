internal import Offload

/// What is remembered.
extension Declared {
  static let proofLife = Setting.duration(
    "BLOBLO_PROOF_TTL", default: .seconds(30), in: .zero...(.seconds(86_400))
  )
  .explained(
    .process,
    "How long bloblo remembers a proof: that the registry allowed a client to read a blob; 0s: not at all."
  )

  static let proofScope = Setting.choice("BLOBLO_PROOF_SCOPE", default: ProofScope.blob)
    .explained(
      .process,
      "What a proof covers. blob: that blob. repository: all blobs known to be in its repository.")

  static let proofIdentity = Setting.choice("BLOBLO_PROOF_IDENTITY", default: ProofIdentity.request)
    .explained(
      .process,
      """
      Which clients share a proof. request: those with equal requests, address and user agent \
      included. credential: those with the same Authorization, which is right only for a \
      registry that decides by it alone.
      """)

  static let staleProofLife = Setting.duration(
    "BLOBLO_PROOF_STALE", default: .zero, in: .zero...(.seconds(86_400))
  )
  .explained(
    .process,
    "How much longer a proof holds while the registry does not answer.")

  static let presenceLife = Setting.duration(
    "BLOBLO_PRESENCE_TTL", default: .seconds(300), in: .zero...(.seconds(604_800))
  )
  .explained(
    .process,
    "How long bloblo remembers that S3 has an object.")

  static let lookAsClient = Setting.read(
    "BLOBLO_LOOK_AS_CLIENT", default: true, as: "on", want: "on or off"
  ) { ["on": true, "off": false][$0.lowercased()] }
  .explained(
    .process,
    """
    on: while clients are redirected, bloblo reads one byte through their URL every second, \
    and blobs pass when that fails. off: for a host that can't reach the public endpoint \
    though clients can (split horizon); the default with BLOBLO_USE_LOCALSTACK.
    """)

  static let presenceLooks = Setting.number("BLOBLO_PRESENCE_LOOKS", default: 20, in: 0...1000)
    .explained(
      .process,
      """
      At most so many looks a second into one bucket, at objects that clients were sent to: \
      bloblo finds a deleted object before clients do. Each look is a HEAD, which S3 \
      charges for; 0: none.
      """)

  static let cacheExpirationMinutes = Setting.number(
    "BLOBLO_CACHE_EXPIRATION_MINUTES", default: 10, in: 0...1440
  )
  .explained(
    .process,
    """
    How long bloblo remembers pings and tokens at most, in minutes, if the web server \
    routes them here; 0: not at all.
    """)
}
