internal import Glibc
package import Threading

/// The other door: a process that a web server, or a shell, starts for one request.
package enum CGIProcess {
  /// Whether this process is one. A listening socket on descriptor 0 means FastCGI.
  ///
  /// Sources: RFC 3875 §4.1; FastCGI 1.0 §2.2. The arguments say nothing: a web server may put a query
  /// there (RFC 3875 §4.4), and no client is to choose a command.
  package static var isThisOne: Bool {
    unsafe getenv("GATEWAY_INTERFACE") != nil && getenv("REQUEST_METHOD") != nil
      && listeningFamily(of: 0) == nil
  }

  /// Answers the request, and waits until that is done.
  ///
  /// - Returns: `false` when the answer was broken off.
  package static func answer(by handler: any RequestHandler, on loop: EventLoop) -> Bool {
    // `write` reports a web server that has closed the connection.
    signal(SIGPIPE, SIG_IGN)
    // What is printed by mistake must not stand in the answer.
    let output = dup(STDOUT_FILENO)
    dup2(STDERR_FILENO, STDOUT_FILENO)
    let request = CGIRequest(output: output)
    let ending = request.ending
    loop.submit { handler.handle(request) }
    guard let thread = Thread.start("reactor", { loop.run() }) else { return false }
    thread.detach()
    // The output stays open until the process ends: a web server may then kill it, and a fill may run yet.
    return ending.wait { $0 } ?? false
  }
}
