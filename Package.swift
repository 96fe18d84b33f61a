// swift-tools-version: 6.2

import PackageDescription

/// What every Swift target is compiled with: no unsafe act without the word for it, no C type in
/// another room, no warning.
let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
]

/// The loader reads a tenth of the relocations at each start, the linker keeps no function for a library that might
/// look for it by name, and libstdc++ is linked in: a CGI program starts sooner, and two megabytes less are resident.
/// (glibc 2.36 and newer; only LLD knows how.)
let compact: [LinkerSetting] = [
  .unsafeFlags(
    ["-use-ld=lld", "-L\(Context.packageDirectory)/packaging/link"]
      + ["-z", "pack-relative-relocs", "--no-export-dynamic"].flatMap { ["-Xlinker", $0] },
    .when(configuration: .release))
]

func room(_ name: String, _ dependencies: Target.Dependency...) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .executableTarget(
    name: name, dependencies: dependencies, swiftSettings: strict, linkerSettings: compact)
}

func tests(
  _ name: String, _ dependencies: Target.Dependency..., exclude: [String] = []
) -> Target {
  .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
}

let package = Package(
  name: "bloblo",
  products: [.executable(name: "bloblo", targets: ["bloblo"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  ],
  targets: [
    // The ground: C, each imported by one room only.
    .systemLibrary(name: "CFastCGI", providers: [.apt(["libfcgi-dev"])]),
    .systemLibrary(name: "CCurl", providers: [.apt(["libcurl4-openssl-dev"])]),
    .systemLibrary(name: "CCrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CTLS", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CExpat", providers: [.apt(["libexpat1-dev"])]),
    .systemLibrary(name: "CISAL", providers: [.apt(["libisal-dev"])]),
    .systemLibrary(name: "CLinux"),

    // Floor 1: one C library each, made safe, and the values that every floor may hold.
    room("Primitives"),
    room("Threading", "CLinux", "Primitives"),
    room("System", "CLinux", "Threading"),
    room("Hashing", "CCrypto", "CISAL"),
    room("HTTPTransport", "CCurl", "CLinux", "CTLS", "Primitives", "Threading", "System"),
    room("FastCGI", "CFastCGI", "CLinux", "Primitives", "Threading", "System"),
    room("XML", "CExpat"),

    // Floor 2: the two specifications; neither knows the other.
    room("Registry", "Hashing", "HTTPTransport", "Primitives"),
    room("S3", "Hashing", "HTTPTransport", "Primitives", "Threading", "XML", "System"),

    // Floor 3: what bloblo is for.
    room("Offload", "Registry", "HTTPTransport", "Primitives"),
    room(
      "Fill", "Registry", "S3", "Hashing", "HTTPTransport", "Primitives", "Threading", "CLinux",
      "System"),
    room("Store", "Fill", "HTTPTransport", "Hashing", "Offload", "Primitives", "Registry", "S3"),

    // Floor 4: settings are values, and start nothing; the log and the figures record, and ask nothing.
    room(
      "Settings", "FastCGI", "Fill", "HTTPTransport", "Hashing", "Offload", "Primitives",
      "Registry", "S3", "Store", "System", .product(name: "Logging", package: "swift-log")),
    room(
      "Telemetry", "Fill", "Offload", "Primitives", "Registry", "S3", "Threading",
      .product(name: "Logging", package: "swift-log")),

    // Floor 5: the path of a request. It can't see HTML, ArgumentParser or FoundationEssentials.
    room(
      "Gateway", "FastCGI", "Fill", "HTTPTransport", "Hashing", "Offload", "Primitives", "Registry",
      "S3", "Settings", "Store", "System", "Telemetry", "Threading",
      .product(name: "Logging", package: "swift-log")),

    // Floor 6: what operators see, and what fills ahead; neither knows the other.
    room(
      "Operator", "FastCGI", "Fill", "Gateway", "HTTPTransport", "Hashing", "Offload", "Primitives",
      "Registry", "S3", "Settings", "Store", "System", "Telemetry", "Threading",
      .product(name: "Logging", package: "swift-log")),
    room(
      "Warm", "Fill", "HTTPTransport", "Hashing", "Primitives", "Registry", "S3", "Store", "System",
      "Threading"),

    // Floor 7: commands, and the wiring.
    program(
      "bloblo",
      [
        "FastCGI", "Fill", "Gateway", "HTTPTransport", "Offload", "Operator", "Primitives",
        "Registry", "S3", "Settings", "Store", "System", "Telemetry", "Threading", "Warm",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ]),

    // What `make fuzz` calls with bytes of libFuzzer's, and `make test` with those of Tests/Fuzz/Corpus.
    .testTarget(
      name: "FuzzTests",
      dependencies: [
        "FastCGI", "Hashing", "HTTPTransport", "Offload", "Operator", "Primitives", "Registry",
        "S3", "Settings", "Store", "Telemetry", "Warm", "XML",
        .product(name: "Logging", package: "swift-log"),
      ],
      path: "Tests/Fuzz", exclude: ["Corpus", "run"], swiftSettings: strict),

    .target(
      name: "TestSupport",
      dependencies: [
        "CLinux", "Hashing", "HTTPTransport", "Primitives", "Registry", "S3", "Threading", "XML",
      ],
      path: "Tests/TestSupport", swiftSettings: strict),
    tests(
      "IntegrationTests", "TestSupport", "Hashing", "HTTPTransport", "Primitives", "Registry", "S3",
      "Threading", "bloblo"),
    tests("SystemTests", "System", "TestSupport"),
    tests("HashingTests", "Hashing"),
    tests("ThreadingTests", "TestSupport", "Threading"),
    tests("HTTPTransportTests", "HTTPTransport", "TestSupport", "Threading"),
    tests("FastCGITests", "FastCGI", "TestSupport", "Threading"),
    tests(
      "RegistryTests", "Registry", "Hashing", "HTTPTransport", "Primitives", "TestSupport"),
    tests(
      "PackagingTests", "bloblo", "Settings", "Telemetry",
      .product(name: "ArgumentParser", package: "swift-argument-parser")),
    tests("OffloadTests", "Offload", "Registry", "HTTPTransport", "Primitives", "TestSupport"),
    tests(
      "StoreTests", "Store", "Hashing", "Offload", "Primitives", "Registry", "S3", "TestSupport"),
    tests(
      "SettingsTests", "Settings", "FastCGI", "Primitives", "Registry", "S3",
      .product(name: "Logging", package: "swift-log")),
    tests(
      "TelemetryTests", "Telemetry", "Offload", "Primitives", "Registry",
      .product(name: "Logging", package: "swift-log")),
    tests(
      "GatewayTests", "Gateway", "FastCGI", "Offload", "Primitives", "Registry", "Settings",
      "Store", "Telemetry", "TestSupport", "Threading",
      .product(name: "Logging", package: "swift-log")),
    tests("OperatorTests", "Operator", "Offload", "Primitives", "Telemetry"),
    tests(
      "WarmTests", "Warm", "Fill", "HTTPTransport", "Hashing", "Offload", "Primitives", "Registry",
      "S3", "Store", "TestSupport"),
    tests("ArchitectureTests"),
    tests(
      "FillTests", "Fill", "Hashing", "HTTPTransport", "Primitives", "Registry", "S3", "Store",
      "TestSupport", "Threading"),
    tests("XMLTests", "XML"),
    tests(
      "S3Tests", "S3", "Hashing", "HTTPTransport", "Primitives", "TestSupport", "XML",
      exclude: ["botocore_presign.py", "cloudfront.py", "credential_sources.py"]),
  ],
  swiftLanguageModes: [.v6]
)
