internal import HTTPTransport
internal import Logging

/// Says by which proxies registry and S3 are reached, and whether one is set that bloblo does not use.
func tellProxies(of environment: [String: String], to logger: Logger) {
  if let proxies = HTTPClient.proxies {
    logger.info("proxies are used", metadata: ["proxies": "\(proxies.description)"])
  }
  if ProxySettings.isIgnored(in: environment) {
    logger.notice(
      "HTTP_PROXY is ignored", metadata: ["advice": "write http_proxy, in lower case"])
  }
}
