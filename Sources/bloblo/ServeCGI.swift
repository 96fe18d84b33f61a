import FastCGI
import Gateway
import Glibc
import Logging
import Operator
import Settings
import Store
import System
import Telemetry
import Threading

/// Answers the one request that this process was started for.
///
/// - Returns: the process's exit status.
func serveCGI() -> Int32 {
  let environment = processEnvironment().withProfile()
  let settings: ProcessSettings
  do {
    settings = try ProcessSettings(environment: environment)
  } catch {
    complain(error.lines(environment))
    return CGIProcess.answer(by: Misconfigured(), on: EventLoop()) ? EX_CONFIG : EX_IOERR
  }
  if settings.areCoreFilesAllowed { CoreFiles.allow() }
  let log = Log(level: settings.logLevel, format: settings.logFormat)
  // A server logs once that it obtained a credential; a process for each request would log it each time.
  var logger = Log(level: settings.logLevel, format: settings.logFormat).logger
  if logger.logLevel == .info { logger.logLevel = .notice }
  let credentials = SigningCredentials(settings.credentials)
  do {
    try credentials.start(tellingTo: CredentialLog(logger: logger))
  } catch {
    complain(error.problems.map { "bloblo: \($0)" })
    return CGIProcess.answer(by: Misconfigured(), on: EventLoop()) ? EX_CONFIG : EX_IOERR
  }
  let loop = EventLoop()
  let services = GatewayServices(
    settings, credentials: credentials, environment: environment, log: log, on: loop)
  let handler = BlobHandler(services, routes: [CheckPage()])
  let isWhole = CGIProcess.answer(by: handler, on: loop)
  handler.stop(within: settings.stopTimeout)
  return isWhole ? EX_OK : EX_IOERR
}
