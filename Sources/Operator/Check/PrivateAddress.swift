internal import Glibc

/// Whether a URL's host is written as a number that is no public address: private, loopback or link-local.
///
/// Clients on go-containerregistry refuse a redirect there: `checkRedirectSSRF` in its `fetcher.go`.
func isPrivateAddress(_ host: String) -> Bool {
  var four = in_addr()
  if unsafe inet_pton(AF_INET, host, &four) == 1 {
    let bytes = unsafe withUnsafeBytes(of: four) { unsafe Array($0) }
    switch (bytes[0], bytes[1]) {
    case (10, _), (127, _), (169, 254), (172, 16...31), (192, 168): return true
    default: return false
    }
  }
  var six = in6_addr()
  guard unsafe inet_pton(AF_INET6, host.filter { !"[]".contains($0) }, &six) == 1 else {
    return false
  }
  let bytes = unsafe withUnsafeBytes(of: six) { unsafe Array($0) }
  let isLoopback = bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1
  return isLoopback || bytes[0] & 0xFE == 0xFC || (bytes[0] == 0xFE && bytes[1] & 0xC0 == 0x80)
}
