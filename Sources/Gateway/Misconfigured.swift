package import FastCGI

/// Answers each request with a 500 when the settings are wrong.
package struct Misconfigured: RequestHandler {
  package init() {}

  package func handle(_ request: Request) {
    request.refuse(500, "bloblo is not configured; the web server's error log says what is wrong")
  }
}
