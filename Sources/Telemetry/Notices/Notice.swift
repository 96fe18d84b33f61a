/// A condition under which bloblo works, but that someone should look at.
package enum Notice: Int, Sendable, CaseIterable {
  case switchedOff, oldFrontFiles, openRegistry, sampleBucket, tcpListener, droppedLogLines
  case unreadByFront

  /// Its name in the log, the metrics and the page.
  package var word: String {
    switch self {
    case .switchedOff: "offloading-off"
    case .oldFrontFiles: "old-front-files"
    case .openRegistry: "open-registry"
    case .sampleBucket: "sample-bucket"
    case .tcpListener: "tcp-listener"
    case .droppedLogLines: "dropped-log-lines"
    case .unreadByFront: "unread-by-web-server"
    }
  }

  /// The log message when it begins.
  package var message: String {
    switch self {
    case .switchedOff: "offloading is switched off: every blob passes"
    case .oldFrontFiles: "the web server uses older bloblo files"
    case .openRegistry: "the registry lets everybody read"
    case .sampleBucket: "no bucket is named"
    case .tcpListener: "bloblo listens on TCP"
    case .droppedLogLines: "log lines were dropped"
    case .unreadByFront: "the web server could not read from S3"
    }
  }

  /// Whether the log gets a line each time it begins, and not only the first time.
  var isLoggedEachTime: Bool { self == .switchedOff || self == .droppedLogLines }
}
