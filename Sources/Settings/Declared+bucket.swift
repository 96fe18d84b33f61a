internal import S3

/// The bucket.
extension Declared {
  static let bucketName = Setting.text("BLOBLO_S3_BUCKET_NAME", default: "sample-bucket")
    .explained(
      .location, example: "my-bucket", isGuarded: true,
      "The bucket's name, or an access point's ARN.")

  static let region = Setting.optional("BLOBLO_S3_REGION")
    .explained(
      .location,
      default:
        "AWS_REGION, AWS_DEFAULT_REGION, the profile's; us-east-1 on another service than AWS",
      example: "eu-west-1", isGuarded: true,
      "The bucket's region, such as eu-west-1.")

  static let endpointURL = Setting.optional("BLOBLO_S3_ENDPOINT_URL")
    .explained(
      .location, default: "AWS's of the region", example: "http://minio.internal:9000",
      isGuarded: true,
      """
      The URL of an S3 service other than AWS, as bloblo reaches it. AWS_ENDPOINT_URL_S3 and \
      AWS_ENDPOINT_URL count too.
      """)

  static let publicEndpointURL = Setting.optional("BLOBLO_S3_PUBLIC_ENDPOINT_URL")
    .explained(
      .location, default: "BLOBLO_S3_ENDPOINT_URL", example: "https://s3.example.com",
      isGuarded: true,
      "The URL by which clients reach the same service.")

  static let addressingStyle = Setting.optionalChoice(
    "BLOBLO_S3_ADDRESSING_STYLE", AddressingStyle.self
  )
  .explained(
    .location, default: "path on another service than AWS, virtual on AWS", example: "path",
    isGuarded: true,
    "Where a URL has the bucket's name. virtual: in the host. path: in the path.")

  static let keyTemplate = Setting.text("BLOBLO_S3_KEY_TEMPLATE", default: "{digest}")
    .explained(
      .location, isGuarded: true,
      """
      How bloblo makes an object's key from a digest: {digest}, {algorithm}, {encoded}, \
      {encoded:0:2} and letters between. So it can read a bucket of docker-registry or of \
      Quay in place.
      """)

  static let s3Timeout = Setting.duration(
    "BLOBLO_S3_TIMEOUT", default: .seconds(5), in: .milliseconds(100)...(.seconds(60))
  )
  .explained(
    .shared,
    """
    How long S3 may take to answer: 100ms to 60s. An upload fails when it moves less than \
    64 KiB in six times that time.
    """)

  static let awsRegion = Setting.optional("AWS_REGION")
    .explained(
      .shared, default: "none",
      "The bucket's region, where BLOBLO_S3_REGION is not set.")

  static let awsDefaultRegion = Setting.optional("AWS_DEFAULT_REGION")
    .explained(
      .shared, default: "none",
      "The bucket's region, where AWS_REGION is not set either.")

  static let awsEndpointURLS3 = Setting.optional("AWS_ENDPOINT_URL_S3")
    .explained(
      .shared, default: "none",
      "AWS's name for BLOBLO_S3_ENDPOINT_URL.")

  static let awsEndpointURL = Setting.optional("AWS_ENDPOINT_URL")
    .explained(
      .shared, default: "none",
      "AWS's name for the URL of all services, where AWS_ENDPOINT_URL_S3 is not set.")

  static let s3Authorities = Setting.file("BLOBLO_S3_CA_FILE")
    .explained(
      .shared, default: "the system's",
      """
      PEM file of the authorities that bloblo trusts for S3 and AWS's other services; \
      AWS_CA_BUNDLE counts too.
      """)

  static let awsAuthorities = Setting.file("AWS_CA_BUNDLE")
    .explained(
      .shared, default: "none",
      "AWS's name for BLOBLO_S3_CA_FILE.")

  static let useFIPS = Setting.boolean("BLOBLO_S3_USE_FIPS", default: false)
    .explained(
      .shared,
      "Whether bloblo uses AWS's FIPS endpoints; AWS_USE_FIPS_ENDPOINT counts too.")

  static let awsUseFIPS = Setting.boolean("AWS_USE_FIPS_ENDPOINT", default: false)
    .explained(
      .shared,
      "AWS's name for BLOBLO_S3_USE_FIPS.")

  static let useDualStack = Setting.boolean("BLOBLO_S3_USE_DUALSTACK", default: false)
    .explained(
      .shared,
      "Whether bloblo uses AWS's endpoints for IPv4 and IPv6; AWS_USE_DUALSTACK_ENDPOINT counts too."
    )

  static let awsUseDualStack = Setting.boolean("AWS_USE_DUALSTACK_ENDPOINT", default: false)
    .explained(
      .shared,
      "AWS's name for BLOBLO_S3_USE_DUALSTACK.")

  static let accelerate = Setting.boolean("BLOBLO_S3_ACCELERATE", default: false)
    .explained(
      .shared,
      "Whether bloblo uses S3's transfer acceleration, which must be on for the bucket.")

  static let requesterPays = Setting.boolean("BLOBLO_S3_REQUESTER_PAYS", default: false)
    .explained(
      .shared,
      "Whether bloblo agrees to pay for its reads, for a bucket whose owner wants that.")

  static let encryption = Setting.optional(
    "BLOBLO_S3_SSE", want: "one of AES256, aws:kms, aws:kms:dsse"
  ) { ["AES256", "aws:kms", "aws:kms:dsse"].contains($0) ? $0 : nil }
  .explained(
    .shared, default: "the bucket's",
    "How S3 encrypts filled objects: AES256, aws:kms or aws:kms:dsse.")

  static let encryptionKey = Setting.optional("BLOBLO_S3_SSE_KMS_KEY_ID")
    .explained(
      .shared, default: "none",
      "The KMS key of that encryption.")

  static let bucketKey = Setting.boolean("BLOBLO_S3_SSE_BUCKET_KEY", default: false)
    .explained(
      .shared,
      "Whether many objects share one key of the bucket, which saves calls to KMS.")

  static let storageClass = Setting.optional(
    "BLOBLO_S3_STORAGE_CLASS",
    want: "a class that is read at once, such as STANDARD, STANDARD_IA or INTELLIGENT_TIERING"
  ) { readStorageClass($0) }
  .explained(
    .shared, default: "none",
    "The storage class of filled objects, such as STANDARD_IA.")

  static let tags = Setting.read(
    "BLOBLO_S3_TAGS", default: [], as: "",
    want:
      "name=value, separated by commas, at most \(ObjectTag.limit); {repository} in a value is the blob's"
  ) { readObjectTags($0) }
  .explained(
    .shared, default: "none",
    """
    Tags of what bloblo fills, as name=value, with commas between; {repository} is the \
    blob's.
    """)

  static let cloudFrontURL = Setting.optional("BLOBLO_CLOUDFRONT_URL")
    .explained(
      .shared, default: "none",
      "The CloudFront distribution that clients are redirected to instead of S3.")

  static let cloudFrontKeyPairID = Setting.optional("BLOBLO_CLOUDFRONT_KEY_PAIR_ID")
    .explained(
      .shared, default: "none",
      "The ID of the public key at CloudFront.")

  static let cloudFrontPrivateKey = Setting.optional("BLOBLO_CLOUDFRONT_PRIVATE_KEY_FILE")
    .explained(
      .shared, default: "none",
      "A PEM file with the private key, RSA or ECDSA, that signs CloudFront's URLs.")

  package static let useLocalStack = Setting.boolean("BLOBLO_USE_LOCALSTACK", default: false)
    .explained(
      .shared,
      "For a trial: http://localhost:4566, us-east-1, path style, key and secret \"test\".")

  static let accessKeyID = Setting.optional("AWS_ACCESS_KEY_ID")
    .explained(
      .process, default: "none",
      """
      The access key that signs for the bucket. Without one bloblo asks the other sources \
      of AWS's SDKs, in their order: shared files and profiles (role_arn, \
      credential_process), web identity, container, instance.
      """)

  static let secretAccessKey = Setting.optional("AWS_SECRET_ACCESS_KEY")
    .explained(
      .process, default: "none", isSecret: true,
      "The secret of AWS_ACCESS_KEY_ID.")

  static let sessionToken = Setting.optional("AWS_SESSION_TOKEN")
    .explained(
      .process, default: "none", isSecret: true,
      "The session token of AWS_ACCESS_KEY_ID, if that is temporary.")

  static let presignAccessKeyID = Setting.optional("BLOBLO_PRESIGN_ACCESS_KEY_ID")
    .explained(
      .process, default: "AWS_ACCESS_KEY_ID",
      "Another access key, which may only read, for the URLs that clients get.")

  static let presignSecretAccessKey = Setting.optional("BLOBLO_PRESIGN_SECRET_ACCESS_KEY")
    .explained(
      .process, default: "none", isSecret: true,
      "The secret of BLOBLO_PRESIGN_ACCESS_KEY_ID.")

  static let presignSessionToken = Setting.optional("BLOBLO_PRESIGN_SESSION_TOKEN")
    .explained(
      .process, default: "none", isSecret: true,
      "The session token of BLOBLO_PRESIGN_ACCESS_KEY_ID, if that is temporary.")
}
