import Hashing
import Testing

/// The examples of FIPS 180-4:
/// <https://csrc.nist.gov/CSRC/media/Projects/Cryptographic-Standards-and-Guidelines/documents/examples/SHA256.pdf>,
/// <https://csrc.nist.gov/CSRC/media/Projects/Cryptographic-Standards-and-Guidelines/documents/examples/SHA512.pdf>;
/// the million letters are of FIPS 180-2, appendices B.3 and C.3.
struct HashFunctionTests {
  struct Vector: Sendable {
    var algorithm: DigestAlgorithm
    var message: String
    var digest: String
  }

  @Test(arguments: [
    Vector(
      algorithm: .sha256, message: "abc",
      digest: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    Vector(
      algorithm: .sha256, message: "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      digest: "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
    Vector(algorithm: .sha256, message: "", digest: SHA256.hexOfNothing),
    Vector(
      algorithm: .sha512, message: "abc",
      digest: "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        + "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"),
    Vector(
      algorithm: .sha512,
      message: "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
        + "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
      digest: "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
        + "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909"),
  ])
  func `a published message has its published digest`(vector: Vector) {
    var hash = HashFunction(vector.algorithm)
    hash.update(Array(vector.message.utf8).span)
    #expect(Hex.string(hash.finalize().span) == vector.digest)
  }

  @Test(
    arguments: [
      (DigestAlgorithm.sha256, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
      (
        DigestAlgorithm.sha512,
        "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
          + "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b"
      ),
    ], [1, 63, 64, 65, 1000, 65536, 1_000_000])
  func `a million letters have one digest, however they come`(
    vector: (DigestAlgorithm, String), step: Int
  ) {
    let message = [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)
    var hash = HashFunction(vector.0)
    for start in stride(from: 0, to: message.count, by: step) {
      hash.update(message.span.extracting(start..<min(start + step, message.count)))
    }
    #expect(Hex.string(hash.finalize().span) == vector.1)
  }

  @Test func `a context serves again`() {
    var function = SHA256()
    let abc = Array("abc".utf8)
    for _ in 0..<3 {
      #expect(
        Hex.string(function.digest(abc.span).span)
          == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
      #expect(Hex.string(function.digest([UInt8]().span).span) == SHA256.hexOfNothing)
    }
  }
}
