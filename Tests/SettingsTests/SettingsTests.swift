import FastCGI
import Logging
import Primitives
import Registry
import S3
import Testing

@testable import Settings

struct SettingsTests {
  static let least = [
    "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret-word", "AWS_REGION": "eu-west-1",
  ]

  private func read(_ more: [String: String]) throws(SettingsError) -> ProcessSettings {
    try ProcessSettings(environment: Self.least.merging(more) { $1 })
  }

  private func problems(_ environment: [String: String]) -> [String] {
    do { _ = try ProcessSettings(environment: environment) } catch { return error.problems }
    return []
  }

  @Test func `what is not set has its default`() throws {
    let settings = try read([:])
    #expect(settings.listenAddress == .tcp(host: "", port: 7777))
    #expect(settings.listenMode == 0o660)
    #expect(settings.location.upstream.url == "http://localhost:6666")
    #expect(settings.location.bucket.name == "sample-bucket")
    #expect(settings.location.bucket.style == .virtual)
    #expect(settings.location.presignLifetime == .seconds(300))
    #expect(settings.location.redirectStatus == 307)
    #expect(settings.location.fill == .tee)
    #expect(settings.warnings.isEmpty)
  }

  @Test func `all mistakes are told together, unknown names too`() {
    let environment = [
      "BLOBLO_LISTEN_ADDR": "x", "BLOBLO_UPSTREAM_URL": "x", "BLOBLO_REDIRECT_STATUS": "301",
      "BLOBLO_PRESIGN_EXPIRES": "8d", "BLOBLO_FILL": "x",
      "BLOBLO_S3_KEY_TEMPLATE": "x", "BLOBLO_THREADS": "0", "BLOBLO_LOG_LEVEL": "x",
      "BLOBLO_LISTEN_MODE": "9", "BLOBLO_S3_ADDRESSING_STYLE": "x", "BLOBLO_MIN_BLOB_SIZE": "-1",
      "BLOBLO_UPSTREAM_CA_FILE": "/nowhere", "BLOBLO_LISTEN_GROUP": "no-such-group",
      "BLOBLO_FRONT_SERVER": "x", "BLOBLO_UPSTREAM_CHECK": "x", "BLOBLO_UPSTREAM_REDIRECT": "x",
      "BLOBLO_UPSTREAM_TIMEOUT": "1h", "BLOBLO_PRESERVE_HOST": "x", "BLOBLO_REGISTRY_HOST": "a b",
      "BLOBLO_S3_ENDPOINT_URL": "x", "BLOBLO_S3_PUBLIC_ENDPOINT_URL": "x",
      "BLOBLO_S3_TIMEOUT": "1h", "BLOBLO_S3_CA_FILE": "/nowhere", "BLOBLO_S3_USE_FIPS": "x",
      "BLOBLO_S3_USE_DUALSTACK": "x", "BLOBLO_S3_ACCELERATE": "x", "BLOBLO_S3_SSE": "rot13",
      "BLOBLO_S3_SSE_KMS_KEY_ID": "k", "BLOBLO_S3_SSE_BUCKET_KEY": "x",
      "BLOBLO_S3_STORAGE_CLASS": "GLACIER", "BLOBLO_S3_TAGS": "x", "BLOBLO_S3_REQUESTER_PAYS": "x",
      "BLOBLO_USE_LOCALSTACK": "x", "BLOBLO_DELIVERY": "x", "BLOBLO_FILL_CONCURRENCY": "0",
      "BLOBLO_FILL_QUEUE": "-1", "BLOBLO_FILL_PART_SIZE": "1", "BLOBLO_FILL_PARALLEL_PARTS": "0",
      "BLOBLO_SPOOL_DIR": "/nowhere", "BLOBLO_SPOOL_MAX_BYTES": "x", "BLOBLO_SWEEP_AGE": "x",
      "BLOBLO_PROOF_TTL": "x", "BLOBLO_PROOF_SCOPE": "x", "BLOBLO_PROOF_STALE": "x",
      "BLOBLO_PRESENCE_TTL": "x", "BLOBLO_CACHE_EXPIRATION_MINUTES": "x",
      "BLOBLO_STREAM_THREADS": "0", "BLOBLO_STOP_TIMEOUT": "x", "BLOBLO_LOG_FORMAT": "x",
    ]
    let told = problems(
      environment.merging(["AWS_REGION": "r", "BLOBLO_THREAD": "1"]) { $1 })
    for name in environment.keys {
      #expect(told.filter { $0.hasPrefix("\(name):") }.count == 1, "\(name)")
    }
    #expect(
      told.contains {
        $0.hasPrefix("BLOBLO_THREAD:") && $0.contains("did you mean BLOBLO_THREADS?")
      })
    #expect(told.count == environment.count + 1)
  }

  @Test(arguments: [
    (["AWS_REGION": "US East"], "AWS_REGION"),
    (["BLOBLO_S3_REGION": "US East"], "BLOBLO_S3_REGION"),
    (["AWS_ENDPOINT_URL_S3": "x"], "AWS_ENDPOINT_URL_S3"),
    (["AWS_ENDPOINT_URL": "x"], "AWS_ENDPOINT_URL"),
    (
      ["AWS_ENDPOINT_URL": "http://127.0.0.1", "BLOBLO_S3_ADDRESSING_STYLE": "virtual"],
      "BLOBLO_S3_ADDRESSING_STYLE"
    ),
    (["BLOBLO_S3_BUCKET_NAME": "B"], "BLOBLO_S3_BUCKET_NAME"),
  ])
  func `a mistake is told of the setting that it is in`(
    environment: [String: String], name: String
  ) {
    let told = problems(["AWS_REGION": "eu-west-1"].merging(environment) { $1 })
    #expect(told.map { $0.prefix { $0 != ":" } } == [name[...]])
  }

  @Test(arguments: [
    "BLOBLO_UPSTREAM_URL=", "BLOBLO_UPSTREAM_URL=https://other,BLOBLO_UPSTREAM_URL=", "=", "=x",
    "==", "BLOBLO_S3_BUCKET_NAME = team-a", "BLOBLO_S3_BUCKET_NAME= team-a", "BLOBLO_NO_SUCH", ",",
  ])
  func `a list of params with an empty name or value is refused`(list: String) {
    #expect(ParamRule.named(list) == nil)
    let told = problems(Self.least.merging(["BLOBLO_PARAMS": list]) { $1 })
    #expect(told.count == 1)
    #expect(told.first?.hasPrefix("BLOBLO_PARAMS: want") == true)
    #expect(told.first?.contains("no blanks around =") == true)
  }

  @Test func `a list of params names settings, and values that they may have`() {
    let named = ParamRule.named(
      "BLOBLO_S3_BUCKET_NAME=a, BLOBLO_S3_BUCKET_NAME=b=c,,BLOBLO_S3_REGION\tBLOBLO_S3_REGION=x")
    #expect(named == ["BLOBLO_S3_BUCKET_NAME": .only(["a", "b=c"]), "BLOBLO_S3_REGION": .any])
  }

  @Test func `AWS's own names count, and ours count more`() throws {
    #expect(try read(["AWS_DEFAULT_REGION": "b"]).location.bucket.region == "eu-west-1")
    #expect(try read(["AWS_REGION": "", "AWS_DEFAULT_REGION": "b"]).location.bucket.region == "b")
    #expect(try read(["BLOBLO_S3_REGION": "c"]).location.bucket.region == "c")
    #expect(try read(["AWS_ENDPOINT_URL": "http://a"]).location.bucket.endpoint.host == "a")
    let both = ["AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_S3": "http://b"]
    #expect(try read(both).location.bucket.endpoint.host == "b")
    #expect(try read(both).location.bucket.style == .path)
  }

  @Test func `LocalStack needs nothing else`() throws {
    let settings = try ProcessSettings(environment: ["BLOBLO_USE_LOCALSTACK": "true"])
    #expect(settings.location.bucket.endpoint.description == "http://localhost:4566")
    #expect(settings.location.bucket.region == "us-east-1")
    #expect(settings.credentials.fixed?.accessKeyID == "test")
  }

  @Test func `secrets are never shown`() throws {
    let settings = try read(["AWS_SESSION_TOKEN": "token-word"])
    var dumped = ""
    dump(settings, to: &dumped)
    let all = "\(settings)\(String(reflecting: settings))\(dumped)"
    #expect(!all.contains("secret-word") && !all.contains("token-word"))
    let told = problems(Self.least.merging(["BLOBLO_UPSTREAM_URL": "http://me:pass-word@r"]) { $1 })
    #expect(told.count == 1 && !told[0].contains("pass-word"))
  }

  @Test(arguments: [
    ("1ms", Duration.milliseconds(1)), ("30s", .seconds(30)), ("5m", .seconds(300)),
    ("1h", .seconds(3600)), ("7d", .seconds(604_800)), ("0", .zero), ("0s", .zero), ("5", nil),
    ("", nil), ("s", nil), ("-1s", nil), ("1.5s", nil), ("1 s", nil),
    ("99999999999999999999s", nil),
    ("1w", nil), ("٣s", nil),
  ])
  func `a time is a number and its unit`(text: String, duration: Duration?) {
    #expect(Duration(setting: text) == duration)
  }

  @Test(arguments: [
    ("0", Int64(0)), ("1024", 1024), ("1k", 1024), ("1KiB", 1024), ("3MiB", 3 << 20),
    ("2G", 2 << 30),
    ("1TiB", 1 << 40), ("1kb", nil), ("x", nil), ("-1", nil), ("9999999999T", nil),
  ])
  func `bytes are a number, perhaps with a binary unit`(text: String, bytes: Int64?) {
    var reader = SettingsReader(["A": text])
    #expect(reader.value(Setting.byteCount("A", default: -7, in: 0...(.max))) == bytes ?? -7)
    #expect(reader.problems.isEmpty == (bytes != nil))
  }
}
