package import FastCGI
package import Fill
package import HTTPTransport
package import Logging
package import Offload
package import Primitives
package import Registry
package import S3
package import Store

/// All that can be set, read once at start. docs/settings.md says what each means.
package struct ProcessSettings: Sendable {
  package var listenAddress: ListenAddress
  package var listenMode: UInt32
  /// A group's number.
  package var listenGroup: UInt32?
  package var frontServer: WebServer
  /// The settings that a param may set, by `BLOBLO_PARAMS`; `nil` where that is not set.
  package var params: [String: ParamRule.Values]?
  /// The settings for requests whose web server sets no params.
  package var location: LocationSettings
  /// Whether a bucket is named, here or by LocalStack's own convention.
  package var isBucketNamed: Bool
  /// The names by which clients know the registry, if they are set.
  package var registryHosts: [String]
  package var credentials: CredentialSettings
  package var lifetimes: DecisionCache.Lifetimes
  package var proofIdentity: ProofIdentity
  /// The most looks a second into one bucket at objects that clients were sent to.
  package var presenceLooks: Int
  /// Whether bloblo reads the bucket as clients do.
  package var looksAsClient: Bool
  /// The longest time that pings and tokens are remembered.
  package var answerLife: Duration
  package var fillLimits: Filler.Limits
  /// The age from which a multipart upload counts as left behind.
  package var sweepAge: Duration
  /// Connections to one registry at a time.
  package var upstreamConnections: Int
  package var threads: Int
  package var streamThreads: Int
  package var stopTimeout: Duration
  /// All blobs pass while this file exists.
  package var passFile: String
  /// For debugging: whether the kernel may write core files.
  package var areCoreFilesAllowed: Bool
  package var logLevel: Logger.Level
  package var logFormat: LogFormat
  /// Settings that are probably a mistake, one sentence each.
  package var warnings: [String]
  package var inForce: [SettingInForce]
}

/// The settings that may differ between locations of the web server.
package struct LocationSettings: Sendable {
  package var upstream: UpstreamRegistry
  package var isHostPreserved: Bool
  package var bucket: Bucket
  package var keyTemplate: ObjectKeyTemplate
  package var s3Limits: HTTPLimits
  package var uploadOptions: UploadOptions
  /// CloudFront's signer, if clients get its URLs instead of S3's.
  package var cloudFront: CloudFrontSigner?
  package var presignLifetime: Duration
  package var redirectStatus: Int
  package var policy: OffloadEngine.Policy
  package var fill: FillMode
  package var fillRanges: FillRanges
  /// The hosts to which fills follow the registry's redirects. No param sets it.
  package var followedHosts: FollowedHosts
}

/// What bloblo does with a blob that is not in the bucket.
package enum FillMode: String, Sendable, CaseIterable {
  /// The client reads along.
  case tee
  /// The client's request passes; the fill waits for its turn.
  case background
  case off
}

/// All errors in the settings, one sentence each.
package struct SettingsError: Error {
  package let problems: [String]

  package init(
    problems: [String]
  ) {
    self.problems = problems
  }
}
