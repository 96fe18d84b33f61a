import Testing

@testable import Settings

struct SettingsInForceTests {
  private func shown(_ environment: [String: String]) throws -> [String: SettingInForce] {
    let settings = try ProcessSettings(environment: SettingsTests.least.merging(environment) { $1 })
    return Dictionary(uniqueKeysWithValues: settings.inForce.map { ($0.name, $0) })
  }

  @Test func `each is there, as it would be written`() throws {
    let shown = try shown(["BLOBLO_PROOF_TTL": "7s"])
    #expect(shown.count == Declared.all.count)
    #expect(
      shown["BLOBLO_PROOF_TTL"] == .init(name: "BLOBLO_PROOF_TTL", value: "7s", isDefault: false))
    let defaults = [
      "BLOBLO_PRESIGN_EXPIRES": "5m", "BLOBLO_SPOOL_MAX_BYTES": "16GiB",
      "BLOBLO_LISTEN_MODE": "0660",
      "BLOBLO_FILL": "tee", "BLOBLO_S3_TAGS": "", "BLOBLO_S3_SSE": "", "BLOBLO_THREADS": "32",
      "BLOBLO_LISTEN_ADDR": "127.0.0.1:7777", "BLOBLO_MIN_BLOB_SIZE": "0",
    ]
    for (name, value) in defaults {
      #expect(shown[name] == .init(name: name, value: value, isDefault: true))
    }
  }

  @Test func `no secret is shown`() throws {
    let shown = try shown([
      "BLOBLO_PRESIGN_ACCESS_KEY_ID": "AKIDOTHER", "BLOBLO_PRESIGN_SECRET_ACCESS_KEY": "hush-1",
      "BLOBLO_PRESIGN_SESSION_TOKEN": "hush-2", "BLOBLO_CHECK_AUTHORIZATION": "Basic hush-3",
    ])
    #expect(
      shown.values.allSatisfy { !$0.value.contains("hush") && !$0.value.contains("secret-word") })
    #expect(shown["BLOBLO_PRESIGN_SECRET_ACCESS_KEY"]?.value == "<redacted>")
  }
}
