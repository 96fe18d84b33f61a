import Registry
import Testing

struct DeletionTargetTests {
  private static let digest = "sha256:" + String(repeating: "ab", count: 32)

  private func target(_ text: String) -> DeletionTarget? {
    DeletionTarget(
      Array(text.replacing("DIGEST", with: Self.digest).utf8).span)
  }

  @Test(arguments: [
    "/v2/team/app/blobs/DIGEST", "/v2/team/app/blobs/DIGEST?ns=docker.io",
    "/v2/team%2Fapp/blobs/DIGEST", "/v2/team/app/blobs/sha256%3a\(digest.dropFirst(7))",
    "//v2//team/app/blobs//DIGEST", "/v2/team/x/../app/blobs/./DIGEST",
    "/v2/team/app/blobs/DIGEST/", "/v2/team%252Fapp/blobs/DIGEST",
    "/v2/team/app/%62lobs/DIGEST",
  ])
  func `a registry's every reading of a path names the blob`(text: String) throws {
    let path = BlobPath(
      name: try #require(RepositoryName("team/app")), digest: try #require(Digest(Self.digest)))
    #expect(target(text) == .blob(path))
  }

  @Test(arguments: [
    "/v2/TEAM/app/blobs/DIGEST", "/registry/v2/team/app/blobs/DIGEST",
    "/v2/team/app/blobs/md5:00000000000000000000000000000000", "/v2/team/app/blobs/SHA256:AB",
    "/v2/team/app/BLOBS/DIGEST", "http://registry/v2/team/app/blobs/DIGEST",
  ])
  func `what may be a blob by another reading is some blob`(text: String) {
    #expect(target(text) == .someBlob)
  }

  @Test(arguments: [
    "/v2/team/app/manifests/DIGEST", "/v2/team/app/blobs/uploads/b4b5c6", "/v2/", "/", "",
    "/v2/team/app/tags/list?x=/blobs/DIGEST",
  ])
  func `what is no blob is none`(text: String) {
    #expect(target(text) == nil)
  }
}
