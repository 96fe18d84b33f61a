package import Offload

extension PassReason.Kind {
  /// Whether S3 could have given the bytes, and something can be done about it. The other reasons are normal: a
  /// client's first request, without a credential, is refused.
  package var couldBeOffloaded: Bool {
    switch self {
    case .notABlobRequest, .deletion, .notRemembered, .requestBody, .purged, .conditional, .range,
      .otherValidator, .upstreamStatus, .smallBlob:
      false
    default: true
    }
  }

  /// What the reason means, and what to do if anything, for the person on duty.
  package var meaning: String {
    switch self {
    case .notABlobRequest:
      "Not a blob's path: the web server sends bloblo more requests than it needs to."
    case .loop: "BLOBLO_UPSTREAM_URL leads back to bloblo: set the registry's own address."
    case .deletion:
      "A DELETE of a blob: bloblo relays it, and forgets what the registry has deleted."
    case .notRemembered: "A ping or token request whose answer can't be remembered."
    case .wrongParams: "A location of the web server sets wrong params: see the log."
    case .requestBody: "A GET or HEAD with a body: only the registry can judge it."
    case .delivery: "BLOBLO_DELIVERY=pass."
    case .switchedOff: "Offloading is switched off: `bloblo offload on` switches it on."
    case .purged:
      "`bloblo purge` took this blob out of the bucket; it passes until its old URLs have ended."
    case .conditional: "If-None-Match or another condition: only the registry can judge."
    case .range: "A range that is not in bytes, very many ranges, or a HEAD with a range."
    case .otherValidator: "If-Range with another validator than the registry's."
    case .upstreamStatus:
      "The registry does not let this client read this blob, or has none."
    case .upstreamName:
      "The registry refuses the credential, since bloblo uses another host name than the client: set BLOBLO_PRESERVE_HOST=true."
    case .upstreamPage: "The registry answers with an HTML page: is a login page in front of it?"
    case .upstreamRedirect:
      "The registry's redirect does not prove that the client may read the blob: see BLOBLO_UPSTREAM_REDIRECT."
    case .upstreamDigest:
      "The registry names another digest than bloblo asked for: check the registry."
    case .upstreamUnreachable: "The registry does not answer bloblo: see Registry above."
    case .unknownSize:
      "The registry states no size, so bloblo can't tell whether the object in the bucket is right: see BLOBLO_UPSTREAM_FOLLOW."
    case .smallBlob: "Smaller than BLOBLO_MIN_BLOB_SIZE."
    case .store: "S3 does not answer as it should: see S3 bucket above."
    case .road: "Clients can't read from S3, though bloblo can: see the clients' road to S3 above."
    case .unread:
      "The web server could not read the object from S3: see the notice and the clients' road above."
    case .storeDenied:
      "S3 does not say whether it has the blob (403): grant s3:ListBucket on the bucket, and s3:GetObject."
    case .noAcceleration:
      "BLOBLO_DELIVERY=accelerate, but this web server can't read the bucket for clients."
    case .longURL: "The signed URL is longer than Apache takes: use a shorter session token."
    case .busy:
      "Too many requests wait for the registry or S3: find out which is slow, or raise BLOBLO_UPSTREAM_CONNECTIONS."
    case .coldFillIsOff: "Not in the bucket, and BLOBLO_FILL=off."
    case .coldBackground: "Not in the bucket yet; a fill is queued."
    case .coldRange: "Not in the bucket, and this range is not in the spool of a fill."
    case .coldRedirect:
      "Not in the bucket, and the registry redirects to a host that BLOBLO_UPSTREAM_FOLLOW does not name."
    case .coldLimit: "Not in the bucket, and no room for one more fill: see fills and spool."
    case .coldUpstream:
      "Not in the bucket, and the registry did not give the whole blob: see the log."
    }
  }

  /// Whether the reason is normal as long as other blobs are offloaded.
  package var isNormal: Bool {
    switch self {
    case .deletion, .notRemembered, .requestBody, .conditional, .range, .otherValidator,
      .upstreamStatus, .smallBlob, .coldBackground, .coldRange:
      true
    default: false
    }
  }

  /// Whether the reason says nothing about blobs.
  package var isOfNoBlob: Bool { self == .deletion || self == .notRemembered }

  /// What to do where nearly all blobs pass for this reason.
  package var advice: String {
    switch self {
    case .upstreamStatus:
      "The registry refuses these clients, or has no such blobs. Does the web server hand Authorization on to bloblo "
        + "(Apache: CGIPassAuth On), and is the registry asked by the name that clients use (BLOBLO_PRESERVE_HOST=true)? "
        + "`bloblo check --blob NAME@DIGEST` with BLOBLO_CHECK_AUTHORIZATION shows what it answers, and "
        + "BLOBLO_UPSTREAM_CHECK=get helps where it refuses HEAD alone."
    case .conditional:
      "Clients, or a proxy in front of the web server, send If-None-Match: find out which."
    case .range:
      "Clients ask for very many ranges at once, or for ranges that are not in bytes: find out which clients."
    case .otherValidator:
      "Clients know the blobs by another validator than the registry's: a cache in front of the web server may have set it."
    case .requestBody:
      "GETs come with a body, or the web server says so: compare its CONTENT_LENGTH param with the shipped files."
    case .smallBlob: "Lower BLOBLO_MIN_BLOB_SIZE."
    case .coldBackground, .coldRange:
      "Clients ask for blobs that never get into the bucket: look at the fills, and at their errors in the log. Lazy "
        + "snapshotters' ranges fill if BLOBLO_FILL_RANGES allows it."
    case .coldFillIsOff: "\(meaning) Set BLOBLO_FILL=tee, or fill the bucket by `bloblo warm`."
    case .coldRedirect:
      "\(meaning) `bloblo check --blob NAME@DIGEST` says which one to name there."
    default: meaning
    }
  }
}

extension DecisionKind {
  package var meaning: String {
    switch self {
    case .answer: "HEAD, answered with what the registry said"
    case .redirect: "sent to the bucket"
    case .accelerate: "the web server reads the bucket"
    case .multipart: "several ranges, read from the bucket"
    case .tee: "cold: read along while the bucket is filled"
    case .remember: "ping or token, from memory"
    case .authorize: "authorizer: yes"
    case .deny: "authorizer: no"
    }
  }
}
