package import FastCGI
package import Settings
internal import Telemetry

extension Notices {
  /// Raises the notices that are known at the start.
  ///
  /// - Parameter tcp: the address, if bloblo listens on TCP.
  package func raise(startingWith settings: ProcessSettings, tcp: ListenAddress?) {
    if !settings.isBucketNamed { raise(.sampleBucket, Notice.sampleBucketAdvice) }
    if let tcp { raise(.tcpListener, Notice.tcpAdvice(tcp)) }
  }
}

extension Notice {
  package static let sampleBucketAdvice =
    "BLOBLO_S3_BUCKET_NAME is not set, so bloblo uses the bucket \"sample-bucket\". Anyone may own a bucket of "
    + "that name, read what you put there, and put objects there for your clients. Name your own bucket."

  package static let openRegistryAdvice =
    "whatever guards it must guard blobs too. If the web server checks passwords, its guard must hold for the blobs' "
    + "location."

  package static func tcpAdvice(_ address: ListenAddress) -> String {
    "Every local user can connect to \(address) and send requests. Params may not choose the registry "
      + "or the bucket there, unless BLOBLO_PARAMS names them. Listen on a Unix socket instead: "
      + "BLOBLO_LISTEN_ADDR=unix:/run/bloblo/bloblo.sock"
  }
}
