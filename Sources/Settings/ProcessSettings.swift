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
  package var frontServer: FrontServerKind
  /// The settings that a param may set, by `BLOBLO_PARAMS`; `nil` where that is not set.
  package var params: [String: ParamRule.Values]?
  /// What holds for a request whose web server says nothing else.
  package var location: LocationSettings
  /// Whether a bucket is named, here or by LocalStack's own convention.
  package var isBucketNamed: Bool
  /// By which clients know the registry, if that is said.
  package var registryHosts: [String]
  package var credentials: CredentialSettings
  package var lives: Memories.Lives
  package var proofIdentity: ProofIdentity
  /// Looks a second into one bucket, at most, at objects that clients were sent to.
  package var presenceLooks: Int
  /// Whether it is looked at what clients meet at the bucket.
  package var looksAsClient: Bool
  /// How long pings and tokens are remembered at most.
  package var answerLife: Duration
  package var fillLimits: Filler.Limits
  /// How old a multipart upload is when it is taken for one that was left behind.
  package var sweepAge: Duration
  /// Connections to one registry at a time.
  package var upstreamConnections: Int
  package var threads: Int
  package var streamThreads: Int
  package var stopTimeout: Duration
  /// All blobs pass while this file exists.
  package var passFile: String
  /// For those who debug.
  package var areCoreFilesAllowed: Bool
  package var logLevel: Logger.Level
  package var logFormat: LogFormat
  /// What is set and probably meant otherwise; one sentence each.
  package var warnings: [String]
  package var inForce: [SettingInForce]
}

/// What may differ from one location of the web server to another.
package struct LocationSettings: Sendable {
  package var upstream: UpstreamRegistry
  package var isHostPreserved: Bool
  package var bucket: Bucket
  package var keyTemplate: ObjectKeyTemplate
  package var s3Limits: HTTPLimits
  package var uploadOptions: UploadOptions
  /// What signs for clients instead of S3's own presigning.
  package var cloudFront: CloudFrontSigner?
  package var presignLifetime: Duration
  package var redirectStatus: Int
  package var policy: OffloadEngine.Policy
  package var fill: FillMode
  package var fillRanges: FillRanges
  /// To whom fills follow the registry's redirects. No param sets it.
  package var followedHosts: FollowedHosts
}

/// What is done with a blob that is not in the bucket.
package enum FillMode: String, Sendable, CaseIterable {
  /// The client reads along.
  case tee
  /// The client is passed on; the fill comes when its turn does.
  case background
  case off
}

/// All mistakes in the settings, one sentence each.
package struct SettingsError: Error {
  package let problems: [String]

  package init(
    problems: [String]
  ) {
    self.problems = problems
  }
}
