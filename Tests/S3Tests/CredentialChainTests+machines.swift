import S3

extension CredentialChainTests {
  static let containerCases = [
    Case(
      testDescription: "container",
      environment: ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "{server}/container/a?id=1"]),
    Case(
      testDescription: "container with a token",
      environment: [
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "{server}/container/closed",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "open sesame",
      ]),
    Case(
      testDescription: "container with a token in a file, before one that is told",
      environment: [
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "{server}/container/closed",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "wrong",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "{home}/sesame",
      ]),
    Case(
      testDescription: "container that refuses",
      environment: ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "{server}/container/closed"],
      expected: .failed(.unavailable, words: "status 401")),
    Case(
      testDescription: "container elsewhere, over plain HTTP",
      environment: ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/container"],
      expected: .failed(.misconfigured, words: "want https, a loopback address")),
    Case(
      testDescription: "container at a host that only looks like loopback",
      environment: ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1.example.com/x"],
      expected: .failed(.misconfigured, words: "want https, a loopback address")),
    Case(
      testDescription: "shared files before the container",
      environment: ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "{server}/container/a"],
      credentials: "[default]\naws_access_key_id = F\naws_secret_access_key = f"),
  ]

  /// An instance whose metadata are at `endpoint`, and are asked for, which `Home` switches off.
  static func instance(
    at endpoint: String, _ more: [String: String] = [:]
  ) -> [String: String] {
    [
      "AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint, "AWS_EC2_METADATA_DISABLED": "false",
    ].merging(more) { $1 }
  }

  static let instanceCases = [
    Case(
      testDescription: "instance",
      environment: instance(at: "{server}/")),
    Case(
      testDescription: "instance that speaks version 1 only",
      environment: instance(at: "{server}/v1/")),
    Case(
      testDescription: "instance that may not speak version 1",
      environment: instance(at: "{server}/v1/", ["AWS_EC2_METADATA_V1_DISABLED": "true"]),
      expected: .failed(.unavailable, words: "no token: status 404")),
    Case(
      testDescription: "instance by IPv6",
      environment: instance(at: "{server6}")),
    Case(
      testDescription: "instance: an endpoint that is named comes before the mode",
      environment: instance(at: "{server}", ["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"])),
    Case(
      testDescription: "instance: a mode that is none",
      environment: instance(at: "{server}", ["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv5"]),
      expected: .failed(.misconfigured, words: "want IPv4 or IPv6, got IPv5")),
    Case(
      testDescription: "instance: an endpoint that is none",
      environment: instance(at: "no endpoint"),
      expected: .failed(.misconfigured, words: "AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint: want")),
    Case(
      testDescription: "instance, named by the profile",
      environment: ["AWS_EC2_METADATA_DISABLED": "false"],
      config: "[default]\nec2_metadata_service_endpoint = {server}/v1/"),
    Case(
      testDescription: "instance, named by the profile, which forbids version 1",
      environment: ["AWS_EC2_METADATA_DISABLED": "false"],
      config: """
        [default]
        ec2_metadata_service_endpoint = {server}/v1/
        ec2_metadata_v1_disabled = true
        """, expected: .failed(.unavailable, words: "no token: status 404")),
    Case(
      testDescription: "instance: a role by the instance that the profile names",
      environment: ["AWS_ENDPOINT_URL_STS": "{server}", "AWS_EC2_METADATA_DISABLED": "false"],
      config: role(
        by: "credential_source = Ec2InstanceMetadata", "ec2_metadata_service_endpoint = {server}",
        "region = eu-west-1")),
    Case(
      testDescription: "instance whose tokens don't come through, by version 1",
      environment: instance(at: "{server}/slow/"), metadataSeconds: 6),
    Case(
      testDescription: "instance whose tokens don't come through, and are wanted",
      environment: instance(at: "{server}/slow-v2/"), metadataSeconds: 6,
      expected: .failed(.unavailable, words: "status 401; in a container on EC2 this is the hop")),
    Case(
      testDescription: "instance, switched off",
      environment: ["AWS_EC2_METADATA_SERVICE_ENDPOINT": "{server}/"], expected: .absent),
    Case(
      testDescription: "container before the instance",
      environment: instance(
        at: "{server}/", ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "{server}/container/a"])),
  ]
}
