internal import CCurl

// What libcurl calls. The context is the exchange, which outlives the transfer.

/// Source: <https://curl.se/libcurl/c/CURLOPT_HEADERFUNCTION.html>
@unsafe func receiveFieldLine(
  bytes: UnsafeMutablePointer<CChar>?, size: Int, count: Int,
  context: UnsafeMutableRawPointer?
) -> Int {
  guard let exchange = unsafe exchange(context), let bytes = unsafe bytes else { return 0 }
  let line = unsafe UnsafeRawBufferPointer(start: bytes, count: size * count)
  return exchange.receive(fieldLine: unsafe line.bindMemory(to: UInt8.self).span) ? size * count : 0
}

/// Source: <https://curl.se/libcurl/c/CURLOPT_WRITEFUNCTION.html>
@unsafe func receiveBody(
  bytes: UnsafeMutablePointer<CChar>?, size: Int, count: Int,
  context: UnsafeMutableRawPointer?
) -> Int {
  guard let exchange = unsafe exchange(context), let bytes = unsafe bytes else { return 0 }
  // Nothing to give, and 0 means "all taken" here.
  guard size * count > 0 else { return 0 }
  let body = unsafe UnsafeRawBufferPointer(start: bytes, count: size * count)
  return exchange.receive(body: unsafe body.bindMemory(to: UInt8.self).span) ? size * count : 0
}

/// Source: <https://curl.se/libcurl/c/CURLOPT_READFUNCTION.html>
@unsafe func sendBody(
  bytes: UnsafeMutablePointer<CChar>?, size: Int, count: Int,
  context: UnsafeMutableRawPointer?
) -> Int {
  guard let exchange = unsafe exchange(context), let bytes = unsafe bytes else {
    return Int(CURL_READFUNC_ABORT)
  }
  let buffer = unsafe UnsafeMutableRawBufferPointer(start: bytes, count: size * count)
  return unsafe exchange.send(into: buffer) ?? Int(CURL_READFUNC_ABORT)
}

/// Source: <https://curl.se/libcurl/c/CURLOPT_SEEKFUNCTION.html>
@unsafe func seekBody(context: UnsafeMutableRawPointer?, offset: curl_off_t, origin: Int32)
  -> Int32
{
  guard let exchange = unsafe exchange(context), origin == 0 else {
    return Int32(CURL_SEEKFUNC_FAIL)
  }
  exchange.seek(to: Int64(offset))
  return Int32(CURL_SEEKFUNC_OK)
}

/// Source: <https://curl.se/libcurl/c/CURLOPT_XFERINFOFUNCTION.html>
@unsafe func checkProgress(
  context: UnsafeMutableRawPointer?, toReceive: curl_off_t, received: curl_off_t,
  toSend: curl_off_t,
  sent: curl_off_t
) -> Int32 {
  guard let exchange = unsafe exchange(context) else { return 1 }
  return exchange.shouldContinue(bytes: Int64(received) + Int64(sent)) ? 0 : 1
}

@unsafe private func exchange(_ context: UnsafeMutableRawPointer?) -> Exchange? {
  guard let context = unsafe context else { return nil }
  return unsafe Unmanaged<Exchange>.fromOpaque(context).takeUnretainedValue()
}
