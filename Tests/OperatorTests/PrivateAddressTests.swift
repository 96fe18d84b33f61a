import Testing

@testable import Operator

struct PrivateAddressTests {
  @Test(arguments: [
    "10.0.0.5", "127.0.0.1", "169.254.1.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "[::1]",
    "[fd00::1]", "[fe80::1]", "[febf::1]",
  ])
  func `these are private`(host: String) { #expect(isPrivateAddress(host)) }

  @Test(arguments: [
    "s3.example.com", "10.example.com", "11.0.0.1", "172.32.0.1", "172.15.0.1", "169.253.0.1",
    "192.0.2.1", "[2001:db8::1]", "[fec0::1]", "",
  ])
  func `these are not`(host: String) { #expect(!isPrivateAddress(host)) }
}
