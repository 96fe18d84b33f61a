/// Every setting that bloblo reads, declared once: the reader, the names that are known, what the page shows and hides,
/// and the tables of the documentation come from here.
///
/// A new one is a `static let` in an extension, a line in `sections`, and `make settings`:
///
///     static let stopTimeout = Setting.duration(
///       "BLOBLO_STOP_TIMEOUT", default: .seconds(30), in: .zero...(.seconds(86_400))
///     )
///     .explained(.process, "How long requests and fills in progress may take after SIGTERM.")
package enum Declared {
  /// In the order of the documentation.
  package static let sections: [(title: String, settings: [SettingFacts])] = [
    (
      "The registry",
      [
        upstreamURL.facts, upstreamCheck.facts, upstreamRedirect.facts, upstreamFollow.facts,
        upstreamAuthorities.facts, upstreamTimeout.facts, preserveHost.facts, registryHost.facts,
        checkAuthorization.facts,
      ]
    ),
    (
      "The bucket",
      [
        bucketName.facts, region.facts, endpointURL.facts, publicEndpointURL.facts,
        addressingStyle.facts, keyTemplate.facts, s3Timeout.facts, awsRegion.facts,
        awsDefaultRegion.facts, awsEndpointURLS3.facts, awsEndpointURL.facts, s3Authorities.facts,
        awsAuthorities.facts, useFIPS.facts, awsUseFIPS.facts, useDualStack.facts,
        awsUseDualStack.facts, accelerate.facts, requesterPays.facts, encryption.facts,
        encryptionKey.facts, bucketKey.facts, storageClass.facts, tags.facts, cloudFrontURL.facts,
        cloudFrontKeyPairID.facts, cloudFrontPrivateKey.facts, useLocalStack.facts,
        accessKeyID.facts, secretAccessKey.facts, sessionToken.facts, presignAccessKeyID.facts,
        presignSecretAccessKey.facts, presignSessionToken.facts,
      ]
    ),
    (
      "What clients get",
      [
        delivery.facts, presignExpires.facts, redirectStatus.facts, minimumBlobSize.facts,
      ]
    ),
    (
      "Filling the bucket",
      [
        fill.facts, fillConcurrency.facts, fillQueue.facts, fillRanges.facts, fillPartSize.facts,
        fillParallelParts.facts, spoolFolder.facts, spoolBytes.facts, sweepAge.facts,
      ]
    ),
    (
      "What is remembered",
      [
        proofLife.facts, proofScope.facts, proofIdentity.facts, staleProofLife.facts,
        presenceLife.facts, lookAsClient.facts, presenceLooks.facts, cacheExpirationMinutes.facts,
      ]
    ),
    (
      "The process",
      [
        listenAddress.facts, listenMode.facts, listenGroup.facts, frontServer.facts, params.facts,
        passFile.facts, coreDumps.facts, upstreamConnections.facts, threads.facts,
        streamThreads.facts, stopTimeout.facts, logLevel.facts, logFormat.facts,
      ]
    ),
  ]

  package static let all = sections.flatMap(\.settings)

  /// The names of those of a scope.
  package static func names(of scopes: Set<SettingFacts.Scope>) -> Set<String> {
    Set(all.filter { scopes.contains($0.scope) }.map(\.name))
  }

  package static let names = Set(all.map(\.name))
}
