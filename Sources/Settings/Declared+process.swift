package import FastCGI
package import Logging
internal import Primitives
internal import System

/// The process.
extension Declared {
  package static let listenAddress = Setting.read(
    "BLOBLO_LISTEN_ADDR", default: ListenAddress.tcp(host: "", port: 7777), as: "127.0.0.1:7777",
    want: "host:port, :port (loopback) or unix:/path of at most 95 bytes"
  ) { ListenAddress($0) }
  .explained(
    .process, example: "unix:/run/bloblo/bloblo.sock",
    """
    Where the web server connects: unix:/path, host:port, or :port on the loopback. A \
    socket that bloblo was started with (systemd, spawn-fcgi) takes precedence.
    """)

  static let listenMode = Setting.read(
    "BLOBLO_LISTEN_MODE", default: 0o660, as: "0660", want: "an octal mode such as 0660"
  ) { readListenMode($0) }
  .explained(
    .process,
    """
    The permission bits of a Unix socket that bloblo makes. bloblo replaces a stale socket, \
    but not a live one.
    """)

  static let listenGroup = Setting.optional("BLOBLO_LISTEN_GROUP", want: "a group of this system") {
    groupID($0)
  }
  .explained(
    .process, default: "none", example: "www-data",
    "The group of that socket, usually the web server's.")

  static let frontServer = Setting.choice("BLOBLO_FRONT_SERVER", default: WebServer.auto)
    .explained(
      .process,
      """
      The web server: auto, nginx, apache or haproxy. none: bloblo relays requests instead of \
      passing them.
      """)

  static let params = Setting.optional(
    "BLOBLO_PARAMS",
    want:
      "settings that a param may set, as NAME (any value) or NAME=value (this value only), "
      + "separated by commas, with no blanks around ="
  ) { ParamRule.named($0) }
  .explained(
    .process, default: "everything on a Unix socket, nothing on TCP",
    """
    Which settings of the registry and the bucket a FastCGI param may set, as NAME or \
    NAME=value, separated by commas.
    """)

  package static let passFile = Setting.text(
    "BLOBLO_PASS_FILE", default: "/run/bloblo/pass", want: "an absolute path"
  ) { $0.hasPrefix("/") ? $0 : nil }
  .explained(
    .process,
    """
    While this file exists, every blob passes to the registry. bloblo offload off makes \
    it.
    """)

  static let coreDumps = Setting.boolean("BLOBLO_CORE_DUMPS", default: false)
    .explained(
      .process,
      """
      For debugging: whether the kernel may write core files of bloblo, which hold passwords \
      and the S3 secret.
      """)

  static let upstreamConnections = Setting.number(
    "BLOBLO_UPSTREAM_CONNECTIONS", default: 1024, in: 1...65_536
  )
  .explained(
    .process,
    """
    How many connections to one registry bloblo uses at a time. Other questions wait for one, \
    repository by repository in turn, for BLOBLO_UPSTREAM_TIMEOUT at most. One repository \
    gets seven eighths of them at most, and all but 16 while no other waits.
    """)

  static let threads = Setting.number("BLOBLO_THREADS", default: 32, in: 1...4096)
    .explained(
      .process,
      "How many threads wait for S3; as many wait for pings and tokens.")

  static let streamThreads = Setting.number("BLOBLO_STREAM_THREADS", default: 256, in: 1...65_536)
    .explained(
      .process,
      "How many threads relay the registry's answers, each to one client.")

  static let stopTimeout = Setting.duration(
    "BLOBLO_STOP_TIMEOUT", default: .seconds(30), in: .zero...(.seconds(86_400))
  )
  .explained(
    .process,
    "How long requests and fills in progress may take after SIGTERM.")

  package static let logLevel = Setting.read(
    "BLOBLO_LOG_LEVEL", default: Logger.Level.info, as: "info",
    want: "one of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))"
  ) { Logger.Level(rawValue: $0.lowercased()) }
  .explained(
    .process,
    "How much bloblo logs: trace, debug, info, notice, warning, error or critical.")

  static let logFormat = Setting.choice("BLOBLO_LOG_FORMAT", default: LogFormat.json)
    .explained(
      .process,
      "The format of log lines: json or text.")
}
