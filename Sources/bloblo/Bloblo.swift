import ArgumentParser
import FastCGI
import Glibc
import System
import Telemetry

@main
enum Program {
  static func main() {
    CoreFiles.forbid()
    // Before the first line is written: a log reader that has closed its end must not end the process.
    signal(SIGPIPE, SIG_IGN)
    // Before all else: in CGI the start takes most of a request's time, and the arguments come from the client.
    if CGIProcess.isThisOne { exitNow(serveCGI()) }
    let arguments = processArguments().dropFirst()
    if let unknown = UnknownCommand(arguments.first) ?? UnknownCommand(optionIn: arguments) {
      complain([unknown.sentence])
      exit(EX_USAGE)
    }
    do {
      var command = try Bloblo.parseAsRoot(Array(arguments))
      try command.run()
      exitNow(EX_OK)
    } catch let code as ExitCode {
      exitNow(code.rawValue)
    } catch {
      // Help, or an error in the arguments: no other thread runs yet.
      Bloblo.exit(withError: error)
    }
  }
}

/// The program: `bloblo` is `bloblo serve`.
struct Bloblo: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bloblo",
    abstract: "Takes container-image layers off a registry's back.",
    discussion: """
      A FastCGI responder for nginx or Apache. For GET and HEAD of /v2/<name>/blobs/<digest> it asks the \
      registry whether this client may read this blob, and sends the client to a presigned S3 URL; it reads \
      a blob that the bucket lacks once, for the client and for the bucket.

      Settings are environment variables, BLOBLO_… and AWS_…: man bloblo and docs/settings.md explain each.

      Example: BLOBLO_LISTEN_ADDR=unix:/run/bloblo.sock BLOBLO_UPSTREAM_URL=http://127.0.0.1:5000 \
      BLOBLO_S3_BUCKET_NAME=layers AWS_REGION=eu-west-1 bloblo
      """,
    version: blobloVersion,
    subcommands: [
      Serve.self, Check.self, Presign.self, Sweep.self, Warm.self, Offload.self,
      Purge.self, HealthCommand.self,
    ],
    defaultSubcommand: Serve.self)
}
