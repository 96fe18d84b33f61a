import FastCGI
import Glibc
import Logging
import System
import Threading

/// Answers the one request that this process was started for.
///
/// - Returns: the process's exit status.
func serveCGI() -> Int32 {
  let environment = processEnvironment().withProfile()
  let settings: Settings
  do {
    settings = try Settings(environment: environment)
  } catch {
    complain(error, environment)
    return CGIProcess.answer(by: Misconfigured(), on: EventLoop()) ? EX_CONFIG : EX_IOERR
  }
  if settings.areCoreFilesAllowed { CoreFiles.allow() }
  let log = Log(settings)
  // That a credential was obtained is news once for a server, and none for each request's process.
  var logger = Log(settings).logger
  if logger.logLevel == .info { logger.logLevel = .notice }
  do {
    try settings.credentials.start(logger)
  } catch {
    complain(error.problems.map { "bloblo: \($0)" })
    return CGIProcess.answer(by: Misconfigured(), on: EventLoop()) ? EX_CONFIG : EX_IOERR
  }
  let loop = EventLoop()
  let handler = BlobHandler(settings, environment: environment, log, on: loop)
  let isWhole = CGIProcess.answer(by: handler, on: loop)
  handler.stop(within: settings.stopTimeout)
  return isWhole ? EX_OK : EX_IOERR
}

private struct Misconfigured: RequestHandler {
  func handle(_ request: Request) {
    request.refuse(500, "bloblo is not configured; the web server's error log says what is wrong")
  }
}
