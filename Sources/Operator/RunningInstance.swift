package import FastCGI
internal import FoundationEssentials
internal import Primitives
package import Registry
internal import Settings
internal import System
internal import Telemetry

/// The bloblo that runs on this machine, as its own commands reach it.
package struct RunningInstance {
  private static let packagedSocket = "/run/bloblo/bloblo.sock"

  package let address: ListenAddress

  /// - Parameter address: from the command line; without it the setting's, or else the package's socket.
  package init(at address: String?, _ environment: [String: String]) {
    let named = [address, environment[Declared.listenAddress.name]].compactMap { $0 }.first {
      !$0.isEmpty
    }
    self.address =
      named.flatMap { ListenAddress($0) }
      ?? (isReadable(Self.packagedSocket)
        ? .unix(path: Self.packagedSocket) : .tcp(host: "", port: 7777))
  }

  /// Makes it forget a blob.
  package func forget(_ digest: Digest) throws(FastCGICall.Failure) -> PurgeAnswer {
    let output = try FastCGICall(address, within: .seconds(10)).send([
      ("REQUEST_METHOD", "POST"), ("REQUEST_URI", Control.path + "\(digest)"),
      ("SERVER_PROTOCOL", "HTTP/1.1"), ("SERVER_SOFTWARE", "bloblo/\(blobloVersion)"),
      ("BLOBLO_CONTROL", "on"),
    ])
    let text = String(decoding: output, as: UTF8.self)
    guard let begin = text.firstIndex(of: "{"),
      let answer = try? JSONDecoder().decode(PurgeAnswer.self, from: Data(text[begin...].utf8))
    else {
      throw FastCGICall.Failure(
        description:
          "its answer is not of a bloblo \(blobloVersion): \(String(text.prefix(60)).printable)")
    }
    return answer
  }
}

extension RunningInstance {
  /// Asks for `/bloblo/health` or `/bloblo/ready`: whether the status was 200, and the page's text.
  package func health(asksReady: Bool) throws(FastCGICall.Failure) -> (Bool, String) {
    let output = try FastCGICall(address, within: .seconds(5)).send([
      ("REQUEST_METHOD", "GET"), ("REQUEST_URI", asksReady ? "/bloblo/ready" : "/bloblo/health"),
      ("SERVER_PROTOCOL", "HTTP/1.1"), ("SERVER_SOFTWARE", "bloblo/\(blobloVersion)"),
      ("BLOBLO_PAGES", "on"),
    ])
    let lines = String(decoding: output, as: UTF8.self).split(
      separator: "\r\n", omittingEmptySubsequences: false)
    let head = lines.prefix { !$0.isEmpty }
    let isWell = head.contains { $0.hasPrefix("Status: 200") }
    let page = lines.dropFirst(head.count + 1).joined()
    let text = page.split(separator: "\n").map { String($0).printable }
    return (isWell, text.joined(separator: "\n"))
  }
}
