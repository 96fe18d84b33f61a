import S3

extension CredentialChainTests {
  static let sts = [
    "AWS_ENDPOINT_URL_STS": "{server}", "AWS_DEFAULT_REGION": "eu-central-1",
  ]
  static let base = """
    [profile base]
    aws_access_key_id = AKIDBASE
    aws_secret_access_key = b

    """

  /// A default profile that takes on a role by what these lines say.
  static func role(_ name: String = "a", by lines: String...) -> String {
    "[default]\nrole_arn = arn:aws:iam::123456789012:role/\(name)\n"
      + lines.joined(separator: "\n")
  }

  static let roleCases = [
    Case(
      testDescription: "role by source_profile, with all its settings", environment: sts,
      config: base
        + role(
          by: "source_profile = base", "external_id = x y", "role_session_name = named",
          "duration_seconds = 1800")),
    Case(
      testDescription: "a chain of roles",
      environment: sts.merging(["AWS_PROFILE": "c"]) { $1 },
      config: base + """
        [profile b]
        role_arn = arn:aws:iam::123456789012:role/b
        source_profile = base
        [profile c]
        role_arn = arn:aws:iam::123456789012:role/c
        source_profile = b
        """),
    Case(
      testDescription: "a role with its own profile's keys", environment: sts,
      config: """
        [default]
        aws_access_key_id = OWN
        aws_secret_access_key = own
        role_arn = arn:aws:iam::123456789012:role/self
        source_profile = default
        """),
    Case(
      testDescription: "roles that go round", environment: sts,
      config: """
        [default]
        role_arn = arn:aws:iam::123456789012:role/a
        source_profile = b
        [profile b]
        role_arn = arn:aws:iam::123456789012:role/b
        source_profile = default
        """,
      expected: .failed(.misconfigured, words: "default → b → default")),
    Case(
      testDescription: "a role by a profile that is not there", environment: sts,
      config: "[default]\nrole_arn = arn:aws:iam::1:role/a\nsource_profile = gone",
      expected: .failed(.misconfigured, words: "there is no profile gone")),
    Case(
      testDescription: "a role by nobody", environment: sts,
      config: "[default]\nrole_arn = arn:aws:iam::123456789012:role/a",
      expected: .failed(.misconfigured, words: "without source_profile")),
    Case(
      testDescription: "a role by both", environment: sts,
      config: base + role(by: "source_profile = base", "credential_source = Environment"),
      expected: .failed(.misconfigured, words: "got both")),
    Case(
      testDescription: "role by credential_source Ec2InstanceMetadata",
      environment: instance(at: "{server}", sts),
      config: role(by: "credential_source = Ec2InstanceMetadata")),
    Case(
      testDescription: "role by credential_source EcsContainer",
      environment: sts.merging(["AWS_CONTAINER_CREDENTIALS_FULL_URI": "{server}/container/x"]) {
        $1
      },
      config: role(by: "credential_source = EcsContainer")),
    Case(
      testDescription: "a role by credential_process", environment: sts,
      config: """
        [default]
        role_arn = arn:aws:iam::123456789012:role/a
        source_profile = p
        [profile p]
        credential_process = /bin/echo '{"Version": 1, "AccessKeyId": "PROC", "SecretAccessKey": "p"}'
        """),
    Case(
      testDescription: "a role by a web identity of another profile", environment: sts,
      config: """
        [default]
        role_arn = arn:aws:iam::123456789012:role/a
        source_profile = w
        [profile w]
        role_arn = arn:aws:iam::123456789012:role/w
        web_identity_token_file = {home}/token
        """),
    Case(
      testDescription: "a role that STS refuses", environment: sts,
      config: base + role("denied", by: "source_profile = base"),
      expected: .failed(.unavailable, words: "AccessDenied: not you")),
    Case(
      testDescription: "a role, and an STS without a scheme",
      environment: ["AWS_ENDPOINT_URL_STS": "sts.example.com"],
      config: base + role(by: "source_profile = base"),
      expected: .failed(.misconfigured, words: "AWS_ENDPOINT_URL_STS (or")),
    Case(
      testDescription: "a role, and a region that is no name",
      environment: ["AWS_REGION": "eu central 1"],
      config: base + role(by: "source_profile = base"),
      expected: .failed(.misconfigured, words: "AWS_REGION makes no URL of STS")),
  ]

  static let webIdentity = sts.merging([
    "AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/token",
    "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/irsa",
  ]) { $1 }

  static let webIdentityCases = [
    Case(testDescription: "web identity", environment: webIdentity),
    Case(
      testDescription: "web identity with a session's name",
      environment: webIdentity.merging(["AWS_ROLE_SESSION_NAME": "pod"]) { $1 }),
    Case(
      testDescription: "web identity before the profile's keys", environment: webIdentity,
      credentials: "[default]\naws_access_key_id = F\naws_secret_access_key = f"),
    Case(
      testDescription: "the profile's role before web identity", environment: webIdentity,
      config: base + role(by: "source_profile = base")),
    Case(
      testDescription: "web identity without a role",
      environment: sts.merging(["AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/token"]) { $1 },
      expected: .failed(.misconfigured, words: "AWS_ROLE_ARN is not")),
    Case(
      testDescription: "web identity without its file",
      environment: webIdentity.merging(["AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/none"]) { $1 },
      expected: .failed(.unavailable, words: "no token can be read")),
  ]
}
