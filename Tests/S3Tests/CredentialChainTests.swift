import Foundation
import HTTPTransport
import Primitives
import S3
import Testing

/// AWS's own SDK, given the same environment and files, must end at the same keys, or at none as we do.
struct CredentialChainTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// `{home}` and `{server}` are filled in, here and in the files.
    var environment: [String: String] = [:]
    /// How long an answer of the metadata service is waited for.
    var metadataSeconds = 60
    var config: String?
    var credentials: String?
    var expected = Expected.found

    enum Expected: Sendable, Equatable {
      case found, absent
      /// - Parameter words: of ours; botocore's are its own.
      case failed(CredentialError.Kind, words: String)
    }
  }

  static let cases =
    environmentCases + fileCases + roleCases + webIdentityCases + containerCases + instanceCases

  static let environmentCases = [
    Case(
      testDescription: "environment",
      environment: ["AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "s/+="]),
    Case(
      testDescription: "environment with a session token",
      environment: [
        "AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t+/=",
      ]),
    Case(
      testDescription: "environment before the profile that is named",
      environment: [
        "AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_PROFILE": "other",
      ], credentials: "[other]\naws_access_key_id = AKIDFILE\naws_secret_access_key = f"),
    Case(
      testDescription: "environment: a key without its secret",
      environment: ["AWS_ACCESS_KEY_ID": "AKIDENV"],
      expected: .failed(.misconfigured, words: "AWS_SECRET_ACCESS_KEY is not")),
    Case(testDescription: "nothing at all", expected: .absent),
  ]

  static let fileCases = [
    Case(
      testDescription: "credentials file, default profile",
      credentials: "[default]\naws_access_key_id=AKIDFILE\naws_secret_access_key = a=b#c\n"),
    Case(
      testDescription: "config file, named profile, comments, capitals, nested settings",
      environment: ["AWS_PROFILE": "build"],
      config: """
        # a comment
        ; another
        [default]
        region = eu-west-1
        [profile build]
        AWS_Access_Key_Id : AKIDBUILD
        s3 =
          aws_secret_access_key = not this
          addressing_style = path
        aws_secret_access_key = right
        aws_session_token = tok
        """),
    Case(
      testDescription: "all of a section indented",
      config: """
          # a comment
        [default]
          aws_access_key_id = I
          s3 =
            aws_secret_access_key = not this
          # another
          aws_secret_access_key = i
        [profile other]
        aws_access_key_id = O
        """),
    Case(
      testDescription: "credentials file before config file",
      config: "[default]\naws_access_key_id = C\naws_secret_access_key = c",
      credentials: "[default]\naws_access_key_id = F\naws_secret_access_key = f"),
    Case(
      testDescription: "files elsewhere",
      environment: [
        "AWS_SHARED_CREDENTIALS_FILE": "{home}/.aws/config", "AWS_CONFIG_FILE": "{home}/none",
      ], config: "[default]\naws_access_key_id = E\naws_secret_access_key = e"),
    Case(
      testDescription: "a profile whose name has a space",
      environment: ["AWS_PROFILE": "my team"],
      config: "[profile \"my team\"]\naws_access_key_id = Q\naws_secret_access_key = q"),
    Case(
      testDescription: "a section of the config file without the word profile is none",
      environment: ["AWS_PROFILE": "plain"],
      config: "[plain]\naws_access_key_id = P\naws_secret_access_key = p",
      expected: .failed(.misconfigured, words: "no profile \"plain\"")),
    Case(
      testDescription: "half a profile",
      credentials: "[default]\naws_access_key_id = F",
      expected: .failed(.misconfigured, words: "aws_secret_access_key is not")),
    Case(
      testDescription: "credential_process",
      config: """
        [default]
        credential_process = /bin/echo '{"Version": 1, "AccessKeyId": "PROC", "SecretAccessKey": "p", \
        "SessionToken": "t", "Expiration": "2099-01-01T01:00:00+01:00"}'
        """),
    Case(
      testDescription: "credential_process before the config file's keys",
      config: """
        [default]
        aws_access_key_id = C
        aws_secret_access_key = c
        credential_process = /bin/echo '{"Version": 1, "AccessKeyId": "P", "SecretAccessKey": "p"}'
        """),
    Case(
      testDescription: "credential_process that fails",
      config: "[default]\ncredential_process = /bin/false",
      expected: .failed(.unavailable, words: "status 1")),
    Case(
      testDescription: "credential_process of another version",
      config: """
        [default]
        credential_process = /bin/echo '{"Version": 2, "AccessKeyId": "P", "SecretAccessKey": "p"}'
        """,
      expected: .failed(.misconfigured, words: "want Version 1, got 2")),
    Case(
      testDescription: "IAM Identity Center",
      config: """
        [default]
        sso_start_url = https://example.awsapps.com/start
        sso_region = eu-west-1
        sso_account_id = 123456789012
        sso_role_name = reader
        """,
      expected: .failed(.misconfigured, words: "aws configure export-credentials")),
  ]

  @Test func `botocore ends at the same keys`() throws {
    let partner = try PythonPartner("credential_sources.py")
    let server = try "http://127.0.0.1:\(partner.readLine())"
    for it in Self.cases {
      let home = try Home(it, server: server)
      let theirs = try JSONDecoder().decode(
        Keys.self, from: Data(partner.ask(home.environment).utf8))
      var http = HTTPClient()
      let ours = CredentialChain(environment: home.environment).load(over: &http, now: .now())
      switch (it.expected, ours) {
      case (.found, .found(let credential, _)):
        #expect(Keys(credential) == theirs, "\(it.testDescription)")
      case (.absent, .absent(let reasons)):
        #expect(reasons.count == 6)
        #expect(theirs.error != nil, "\(it.testDescription): \(theirs)")
      case (.failed(let kind, let words), .failed(let error)):
        #expect(error.kind == kind, "\(it.testDescription): \(error)")
        #expect(error.description.contains(words), "\(it.testDescription): \(error)")
        #expect(theirs.error != nil, "\(it.testDescription): \(theirs)")
      default:
        Issue.record("\(it.testDescription): ours \(ours), theirs \(theirs)")
      }
    }
  }

  @Test func `what is unreachable is told with what to do`() throws {
    var http = HTTPClient()
    // A port that answers no SYN within the limit can't be had on loopback; a listener that never
    // accepts and never answers does as well.
    let silent = try SilentServer()
    let chain = CredentialChain(environment: [
      "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:\(silent.port)"
    ])
    guard case .failed(let error) = chain.load(over: &http, now: .now()) else {
      Issue.record("found something")
      return
    }
    #expect(error.kind == .unavailable)
    #expect(error.description.contains("--http-put-response-hop-limit 2"))
  }

  @Test(arguments: [Int64(-7200), 7200])
  func `a role is taken on by STS's clock, when ours is wrong`(skew: Int64) throws {
    let partner = try PythonPartner("credential_sources.py")
    let home = try Home(
      Case(
        testDescription: "", environment: Self.sts,
        config: Self.base + Self.role("skewed", by: "source_profile = base")),
      server: "http://127.0.0.1:\(partner.readLine())")
    var http = HTTPClient()
    let outcome = CredentialChain(environment: home.environment).load(
      over: &http, now: .now() + skew)
    guard case .found = outcome else {
      Issue.record("\(outcome)")
      return
    }
  }

  private struct Keys: Codable, Equatable, CustomStringConvertible {
    var id: String?
    var secret: String?
    var token: String?
    var error: String?

    init(_ credential: Credential) {
      id = credential.accessKeyID
      secret = credential.secretAccessKey.exposed
      token = credential.sessionToken?.exposed
    }

    var description: String { error ?? "\(id ?? "") \(secret ?? "") \(token ?? "")" }
  }

  /// A folder with the case's files.
  private final class Home {
    let environment: [String: String]
    private let folder: URL

    init(_ it: Case, server: String) throws {
      let folder = FileManager.default.temporaryDirectory.appending(
        path: "bloblo-home-\(UUID().uuidString)")
      self.folder = folder
      func fill(_ text: String) -> String {
        text.replacing("{home}", with: folder.path).replacing("{server}", with: server)
          .replacing("{server6}", with: server.replacing("127.0.0.1", with: "[::1]"))
      }
      let aws = folder.appending(path: ".aws")
      try FileManager.default.createDirectory(at: aws, withIntermediateDirectories: true)
      for (text, name) in [
        (it.config, ".aws/config"), (it.credentials, ".aws/credentials"), ("web-token", "token"),
        ("open sesame", "sesame"),
      ] {
        try text.map { try Data(fill($0).utf8).write(to: folder.appending(path: name)) }
      }
      environment = [
        "HOME": folder.path, "PATH": "/usr/bin:/bin", "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_METADATA_SERVICE_TIMEOUT": "\(it.metadataSeconds)",
      ].merging(it.environment.mapValues(fill)) { $1 }
    }

    deinit { try? FileManager.default.removeItem(at: folder) }
  }
}
