internal import HTTPTransport
internal import Logging

/// Logs the proxies for registry and S3, and a proxy setting that bloblo ignores.
func tellProxies(of environment: [String: String], to logger: Logger) {
  if let proxies = HTTPClient.proxies {
    logger.info("proxies are used", metadata: ["proxies": "\(proxies.description)"])
  }
  if ProxySettings.isIgnored(in: environment) {
    logger.notice(
      "HTTP_PROXY is ignored", metadata: ["advice": "write http_proxy, in lower case"])
  }
}
