import ArgumentParser
import FastCGI
import Glibc

@main
enum Program {
  static func main() {
    // Before all else: in CGI the start is most of a request, and the arguments are the client's.
    if CGIProcess.isThisOne { exit(serveCGI()) }
    Bloblo.main()
  }
}

/// The program: `bloblo` is `bloblo serve`.
struct Bloblo: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bloblo",
    abstract: "Takes container-image layers off a registry's back.",
    discussion: """
      A FastCGI responder beside nginx or Apache. For GET and HEAD of /v2/<name>/blobs/<digest> it asks the \
      registry whether this client may read this blob, and sends the client to a presigned S3 URL; a blob \
      that is not in the bucket yet is given to the client and put there in the same reading.

      Settings are environment variables, BLOBLO_… and AWS_…: the README has the table.
      """,
    version: blobloVersion,
    subcommands: [Serve.self, Check.self, Presign.self, Sweep.self],
    defaultSubcommand: Serve.self)
}

let blobloVersion = "0.1.0"
