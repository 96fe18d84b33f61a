internal import CTLS
internal import Glibc

/// What TLS connections to one server share: the authorities to trust, and the session that the next one resumes.
@safe
final class TLSContext {
  fileprivate let raw: OpaquePointer
  private var session: OpaquePointer?

  /// - Parameter caFile: PEM; `nil` for the system's authorities.
  init(caFile: String?) throws(TransportError) {
    guard let raw = unsafe SSL_CTX_new(TLS_client_method()) else {
      preconditionFailure("libssl can't be initialised: a broken installation")
    }
    unsafe self.raw = unsafe raw
    unsafe session = nil
    _ = unsafe ctls_set_oldest_version(raw)
    _ = unsafe ctls_set_modes(raw)
    _ = unsafe ctls_set_no_session_cache(raw)
    unsafe SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nil)
    let isLoaded =
      if let caFile {
        unsafe SSL_CTX_load_verify_locations(raw, caFile, nil)
      } else {
        unsafe SSL_CTX_set_default_verify_paths(raw)
      }
    guard isLoaded == 1 else {
      throw TransportError(.connect, "TLS: the authorities can't be read")
    }
  }

  deinit {
    unsafe SSL_SESSION_free(session)
    unsafe SSL_CTX_free(raw)
  }

  fileprivate func resume(_ ssl: OpaquePointer) {
    if let session = unsafe session { _ = unsafe SSL_set_session(ssl, session) }
  }

  fileprivate func keepSession(of ssl: OpaquePointer) {
    guard let newer = unsafe SSL_get1_session(ssl) else { return }
    guard unsafe SSL_SESSION_is_resumable(newer) == 1 else { return unsafe SSL_SESSION_free(newer) }
    unsafe SSL_SESSION_free(session)
    unsafe session = unsafe newer
  }
}

/// The owner of one TLS connection's state, on a socket that does not block.
///
/// Source: <https://docs.openssl.org/3.0/man7/ssl/>
@safe
struct TLSStream: ~Copyable {
  private let raw: OpaquePointer
  private let context: TLSContext

  /// - Parameter host: the server's name as its certificate must have it, or its address.
  init(_ context: TLSContext, socket: Int32, host: String) throws(TransportError) {
    guard let raw = unsafe SSL_new(context.raw) else { throw TransportError(.connect, "TLS") }
    unsafe SSL_set_connect_state(raw)
    let isAddress = unsafe X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(raw), host) == 1
    let isNamed =
      isAddress || (unsafe SSL_set1_host(raw, host) == 1 && ctls_set_host_name(raw, host) == 1)
    guard isNamed, unsafe SSL_set_fd(raw, socket) == 1 else {
      unsafe SSL_free(raw)
      throw TransportError(.connect, "TLS: the server's name can't be used")
    }
    let protocols = [UInt8("http/1.1".utf8.count)] + Array("http/1.1".utf8)
    _ = unsafe SSL_set_alpn_protos(raw, protocols, UInt32(protocols.count))
    unsafe context.resume(raw)
    unsafe self.raw = unsafe raw
    self.context = context
  }

  deinit { unsafe SSL_free(raw) }

  /// - Returns: whether the handshake is over.
  func handshake() throws(TransportError) -> Bool {
    ERR_clear_error()
    let result = unsafe SSL_do_handshake(raw)
    if result == 1 { return true }
    switch unsafe SSL_get_error(raw, result) {
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return false
    default: throw TransportError(.connect, "TLS: \(handshakeFailure)")
    }
  }

  func read(_ buffer: UnsafeMutableRawBufferPointer) -> ServerStream.Progress {
    ERR_clear_error()
    let count = unsafe SSL_read(raw, buffer.baseAddress, Int32(buffer.count))
    return count > 0 ? .bytes(Int(count)) : failure(count)
  }

  func write(_ bytes: UnsafeRawBufferPointer) -> ServerStream.Progress {
    ERR_clear_error()
    let count = unsafe SSL_write(raw, bytes.baseAddress, Int32(bytes.count))
    return count > 0 ? .bytes(Int(count)) : failure(count)
  }

  /// The next connection resumes this one's session. Under TLS 1.3 the server sends it behind the handshake.
  func keepSession() { unsafe context.keepSession(of: raw) }

  private func failure(_ count: Int32) -> ServerStream.Progress {
    switch unsafe SSL_get_error(raw, count) {
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: .later
    case SSL_ERROR_ZERO_RETURN: .end
    default: .failed
    }
  }

  private var handshakeFailure: String {
    let verdict = unsafe SSL_get_verify_result(raw)
    if verdict != Int(X509_V_OK), let words = unsafe X509_verify_cert_error_string(verdict) {
      return unsafe String(cString: words)
    }
    guard let words = unsafe ERR_reason_error_string(ERR_peek_last_error()) else {
      return "the handshake was broken off"
    }
    return unsafe String(cString: words)
  }
}
