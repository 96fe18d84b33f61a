internal import CCurl

/// The owner of one libcurl easy handle: one thread, one transfer at a time. Its connections stay
/// warm from one transfer to the next.
///
/// Source: <https://curl.se/libcurl/c/libcurl-easy.html>
@safe
struct EasyHandle: ~Copyable {
  private let raw: UnsafeMutableRawPointer

  init() {
    guard globalInit, let raw = unsafe curl_easy_init() else {
      preconditionFailure("libcurl can't be initialised: a broken installation")
    }
    unsafe self.raw = unsafe raw
  }

  deinit { unsafe curl_easy_cleanup(raw) }

  /// Forgets all options, keeps the connections.
  func reset() { unsafe curl_easy_reset(raw) }

  func set(_ option: CURLoption, _ value: Int) throws(TransportError) {
    try check(unsafe ccurl_setopt_long(raw, option, value))
  }

  func setOffset(_ option: CURLoption, _ value: Int64) throws(TransportError) {
    try check(unsafe ccurl_setopt_offset(raw, option, curl_off_t(value)))
  }

  func set(_ option: CURLoption, _ value: String) throws(TransportError) {
    try check(unsafe ccurl_setopt_string(raw, option, value))
  }

  /// Unsets an option that takes a string.
  func unset(_ option: CURLoption) throws(TransportError) {
    try check(unsafe ccurl_setopt_pointer(raw, option, nil))
  }

  /// The list must live until the transfer is over.
  func setFields(_ fields: borrowing FieldList) throws(TransportError) {
    try check(unsafe ccurl_setopt_pointer(raw, CURLOPT_HTTPHEADER, fields.raw))
  }

  /// Has libcurl call the exchange's functions; the exchange must live until the transfer is over.
  func setCallbacks(_ exchange: Exchange) throws(TransportError) {
    let context = unsafe Unmanaged.passUnretained(exchange).toOpaque()
    try check(unsafe ccurl_setopt_transfer(raw, CURLOPT_HEADERFUNCTION, receiveFieldLine))
    try check(unsafe ccurl_setopt_pointer(raw, CURLOPT_HEADERDATA, context))
    try check(unsafe ccurl_setopt_transfer(raw, CURLOPT_WRITEFUNCTION, receiveBody))
    try check(unsafe ccurl_setopt_pointer(raw, CURLOPT_WRITEDATA, context))
    try check(unsafe ccurl_setopt_transfer(raw, CURLOPT_READFUNCTION, sendBody))
    try check(unsafe ccurl_setopt_pointer(raw, CURLOPT_READDATA, context))
    try check(unsafe ccurl_setopt_seek(raw, seekBody))
    try check(unsafe ccurl_setopt_pointer(raw, CURLOPT_SEEKDATA, context))
    try check(unsafe ccurl_setopt_progress(raw, checkProgress))
    try check(unsafe ccurl_setopt_pointer(raw, CURLOPT_XFERINFODATA, context))
    try set(CURLOPT_NOPROGRESS, 0)
  }

  func perform() -> CURLcode { unsafe curl_easy_perform(raw) }

  /// Tells the time that ran out before there was a connection from the one in which an answer did not come.
  func judged(_ error: TransportError) -> TransportError {
    guard error.kind == .timeout else { return error }
    var time: curl_off_t = 0
    let code = unsafe ccurl_getinfo_offset(raw, CURLINFO_PRETRANSFER_TIME_T, &time)
    guard code == CURLE_OK, time == 0 else { return error }
    return TransportError(.connect, error.message)
  }

  private func check(_ code: CURLcode) throws(TransportError) {
    guard code == CURLE_OK else { throw TransportError(.invalid, words(for: code)) }
  }
}

/// libcurl's words for a code.
func words(for code: CURLcode) -> String {
  unsafe String(cString: curl_easy_strerror(code))
}

/// Once per process, before any handle. Source: <https://curl.se/libcurl/c/curl_global_init.html>
private let globalInit: Bool = ccurl_global_init() == CURLE_OK
