import FastCGI
import Fill
import HTTPTransport
import Logging
import Offload
import Primitives
import Registry
import S3

/// All that can be set, read once at start. docs/settings.md says what each means.
struct ProcessSettings: Sendable {
  var listenAddress: ListenAddress
  var listenMode: UInt32
  /// A group's number.
  var listenGroup: UInt32?
  var frontServer: FrontServerKind
  /// The settings that a param may set, by `BLOBLO_PARAMS`; `nil` where that is not set.
  var params: [String: ParamRule.Values]?
  /// What holds for a request whose web server says nothing else.
  var location: LocationSettings
  /// Whether a bucket is named, here or by LocalStack's own convention.
  var isBucketNamed: Bool
  /// By which clients know the registry, if that is said.
  var registryHosts: [String]
  var credentials: CredentialSettings
  var lives: Memories.Lives
  var proofIdentity: ProofIdentity
  /// Looks a second into one bucket, at most, at objects that clients were sent to.
  var presenceLooks: Int
  /// Whether it is looked at what clients meet at the bucket.
  var looksAsClient: Bool
  /// How long pings and tokens are remembered at most.
  var answerLife: Duration
  var fillLimits: Filler.Limits
  /// How old a multipart upload is when it is taken for one that was left behind.
  var sweepAge: Duration
  /// Connections to one registry at a time.
  var upstreamConnections: Int
  var threads: Int
  var streamThreads: Int
  var stopTimeout: Duration
  /// All blobs pass while this file exists.
  var passFile: String
  /// For those who debug.
  var areCoreFilesAllowed: Bool
  var logLevel: Logger.Level
  var logFormat: LogFormat
  /// What is set and probably meant otherwise; one sentence each.
  var warnings: [String]
  var inForce: [SettingInForce]
}

/// What may differ from one location of the web server to another.
struct LocationSettings: Sendable {
  var upstream: UpstreamRegistry
  var isHostPreserved: Bool
  var bucket: Bucket
  var keyTemplate: ObjectKeyTemplate
  var s3Limits: HTTPLimits
  var uploadOptions: UploadOptions
  /// What signs for clients instead of S3's own presigning.
  var cloudFront: CloudFrontSigner?
  var presignLifetime: Duration
  var redirectStatus: Int
  var policy: OffloadEngine.Policy
  var fill: FillMode
  var fillRanges: FillRanges
  /// To whom fills follow the registry's redirects. No param sets it.
  var followedHosts: FollowedHosts
}

/// What is done with a blob that is not in the bucket.
enum FillMode: String, Sendable, CaseIterable {
  /// The client reads along.
  case tee
  /// The client is passed on; the fill comes when its turn does.
  case background
  case off
}

/// All mistakes in the settings, one sentence each.
struct SettingsError: Error {
  let problems: [String]
}
