/// Settings of our prefix that nothing reads: most are misspelt.
struct UnknownSettings {
  /// One for each, with the nearest right name.
  let sentences: [String]

  init(_ environment: [String: String]) {
    sentences = environment.keys.filter { $0.hasPrefix("BLOBLO_") && !Self.known.contains($0) }
      .sorted().map { name in
        let nearest = Self.known.min { editDistance($0, name) < editDistance($1, name) }
        guard let nearest, editDistance(nearest, name) <= 4 else {
          return "\(name): unknown, ignored"
        }
        return "\(name): unknown, ignored; did you mean \(nearest)?"
      }
  }

  static let known = S3Settings.commonNames.union([
    "BLOBLO_LISTEN_ADDR", "BLOBLO_LISTEN_MODE", "BLOBLO_LISTEN_GROUP", "BLOBLO_FRONT_SERVER",
    "BLOBLO_PARAMS", "BLOBLO_PASS_FILE", "BLOBLO_CORE_DUMPS",
    "BLOBLO_UPSTREAM_URL",
    "BLOBLO_UPSTREAM_CHECK", "BLOBLO_UPSTREAM_REDIRECT", "BLOBLO_UPSTREAM_CA_FILE",
    "BLOBLO_UPSTREAM_TIMEOUT",
    "BLOBLO_PRESERVE_HOST", "BLOBLO_S3_BUCKET_NAME", "BLOBLO_USE_LOCALSTACK",
    "BLOBLO_S3_ENDPOINT_URL",
    "BLOBLO_S3_PUBLIC_ENDPOINT_URL", "BLOBLO_S3_REGION", "BLOBLO_S3_ADDRESSING_STYLE",
    "BLOBLO_S3_KEY_TEMPLATE",
    "BLOBLO_S3_TIMEOUT", "BLOBLO_PRESIGN_EXPIRES", "BLOBLO_REDIRECT_STATUS", "BLOBLO_DELIVERY",
    "BLOBLO_MIN_BLOB_SIZE", "BLOBLO_FILL", "BLOBLO_FILL_CONCURRENCY", "BLOBLO_FILL_PART_SIZE",
    "BLOBLO_FILL_PARALLEL_PARTS", "BLOBLO_FILL_QUEUE", "BLOBLO_FILL_RANGES",
    "BLOBLO_UPSTREAM_FOLLOW", "BLOBLO_SWEEP_AGE",
    "BLOBLO_SPOOL_DIR",
    "BLOBLO_SPOOL_MAX_BYTES", "BLOBLO_THREADS", "BLOBLO_STREAM_THREADS", "BLOBLO_STOP_TIMEOUT",
    "BLOBLO_CACHE_EXPIRATION_MINUTES", "BLOBLO_PROOF_TTL", "BLOBLO_PROOF_SCOPE",
    "BLOBLO_PROOF_STALE", "BLOBLO_PRESENCE_TTL",
    "BLOBLO_LOG_LEVEL", "BLOBLO_LOG_FORMAT",
    "BLOBLO_PRESIGN_ACCESS_KEY_ID", "BLOBLO_PRESIGN_SECRET_ACCESS_KEY",
    "BLOBLO_PRESIGN_SESSION_TOKEN", "BLOBLO_REGISTRY_HOST", "BLOBLO_CHECK_AUTHORIZATION",
  ])
}

/// The number of letters to put in, take out or change. Source: Wagner and Fischer, 1974.
func editDistance(_ a: String, _ b: String) -> Int {
  let b = Array(b.utf8)
  var row = Array(0...b.count)
  for (i, letter) in a.utf8.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for j in b.indices {
      let replaced = diagonal + (b[j] == letter ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
    }
  }
  return row[b.count]
}
