// swift-tools-version: 6.2
import PackageDescription

/// One array for every Swift target: Swift 6 language mode, strict memory safety, warnings as errors.
/// `Lifetimes` lets the one packet reader borrow its bytes without an unsafe pointer.
let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableExperimentalFeature("Lifetimes"),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
  name: "nfq-egressd",
  products: [
    .executable(name: "nfq-egressd", targets: ["nfq-egressd"]),
    .library(name: "PacketInspect", targets: ["PacketInspect"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
  ],
  targets: [
    .target(
      name: "CNetfilterQueue",
      cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])],
      linkerSettings: [.linkedLibrary("netfilter_queue"), .linkedLibrary("mnl")]
    ),
    // The daemon's door to more system libraries: libpsl (registrable domains), libcrypto (digests, QUIC Initial packets)
    // and libcurl (the API of container runtimes).
    .target(
      name: "CHostLibraries",
      path: "Sources/nfq-egressd/CHostLibraries",
      cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])],
      linkerSettings: [.linkedLibrary("psl"), .linkedLibrary("crypto"), .linkedLibrary("curl")]
    ),
    // The built-in category files, embedded into the binary (C23's #embed): a static binary needs no files at run time.
    .target(
      name: "CCategories",
      path: "Sources/nfq-egressd/CCategories",
      exclude: ["lists"],
      cSettings: [.unsafeFlags(["-std=c23", "-Wall", "-Wextra", "-Werror"])]
    ),
    .target(name: "PacketInspect", swiftSettings: settings),
    .executableTarget(
      name: "nfq-egressd",
      dependencies: [
        "CNetfilterQueue",
        "CHostLibraries",
        "CCategories",
        "PacketInspect",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "Yams", package: "Yams"),
        .product(name: "FlyingFox", package: "FlyingFox"),
      ],
      exclude: ["CHostLibraries", "CCategories"],
      swiftSettings: settings
    ),
    // What fuzzers and the regression tests of their findings drive.
    .target(
      name: "FuzzEntries",
      dependencies: ["PacketInspect"],
      path: "scripts/fuzz/Entries",
      swiftSettings: settings
    ),
    // What tests and benchmarks share.
    .target(
      name: "TestSupport",
      dependencies: ["CHostLibraries", "PacketInspect"],
      path: "Tests/TestSupport",
      swiftSettings: settings
    ),
    .testTarget(
      name: "PacketInspectTests",
      dependencies: [
        "PacketInspect", "nfq-egressd", "FuzzEntries", "TestSupport",
        .product(name: "GRDB", package: "GRDB.swift"), .product(name: "Logging", package: "swift-log"),
      ],
      exclude: ["Fixtures", "FuzzRegressions"],
      swiftSettings: settings
    ),
  ]
)

// The core benchmark (scripts/bench.sh) and the simulation of sessions (scripts/detection.sh) are no part of a normal build.
if Context.environment["BENCH"] == "1" {
  package.targets += [
    .target(
      name: "CoreC",
      path: "scripts/bench/core-c",
      cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror", "-O2"])]
    ),
    .executableTarget(
      name: "CoreBench",
      dependencies: ["CoreC", "CHostLibraries", "FuzzEntries", "PacketInspect", "TestSupport"],
      path: "scripts/bench/CoreBench",
      swiftSettings: settings
    ),
    .executableTarget(
      name: "DetectionBench",
      dependencies: ["CCategories", "PacketInspect", "TestSupport"],
      path: "scripts/detection/DetectionBench",
      swiftSettings: settings
    ),
  ]
  // What it measures is the daemon's, whose modules only tests can import.
  package.targets.removeAll { $0.name == "PacketInspectTests" }
  package.targets += [
    .target(
      name: "DiagC",
      path: "scripts/bench/diag-c",
      cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror", "-O2"])]
    ),
    .testTarget(
      name: "AttributionBench",
      dependencies: ["DiagC", "PacketInspect", "nfq-egressd"],
      path: "scripts/bench/AttributionBench",
      swiftSettings: settings
    ),
  ]
}

// The fuzzers (scripts/fuzz.sh) can only be linked with libFuzzer: --sanitize=fuzzer. Of the daemon they need the readers
// of what people write, which a program can only link where they are no program themselves.
if Context.environment["FUZZ"] == "1" {
  package.products.removeAll()
  package.targets.removeAll { ["nfq-egressd", "PacketInspectTests"].contains($0.name) }
  package.targets += [
    .target(
      name: "nfq_egressd",
      dependencies: [
        "CHostLibraries", "CCategories", "PacketInspect", .product(name: "Logging", package: "swift-log"),
        .product(name: "Yams", package: "Yams"),
      ],
      path: "Sources/nfq-egressd",
      sources: [
        "Config", "Lists", "Review", "Clock.swift", "Host/PublicSuffixes.swift", "Host/ProcFile.swift",
        "Host/Folder.swift", "Metrics/ListenAddress.swift",
        "Control/ControlCommand.swift", "Control/ControlProtocol.swift", "Control/ControlService.swift",
        "Control/ControlOverlay.swift", "Control/ControlPeer.swift", "Control/ControlStatus.swift",
        "Control/OverlayReader.swift",
        "Control/OverlayDesk.swift", "Control/ControlReview.swift", "Control/ReviewReader.swift",
        "Control/ReviewDesk.swift",
        "Control/ProcessCgroup.swift", "Control/UnixAddress.swift",
        "Store/OverlayOutbox.swift", "Store/PendingState.swift", "Store/StoreFailure.swift",
        "Attribution/CgroupPattern.swift",
        "Attribution/CgroupMount.swift", "Attribution/RepairScript.swift",
        "Attribution/Containers/Container.swift", "Attribution/Containers/ContainerSource.swift",
        "Attribution/Containers/ContainerText.swift", "Attribution/Containers/ContainerRoster.swift",
      ],
      swiftSettings: settings
    ),
    .executableTarget(
      name: "Fuzz",
      dependencies: ["FuzzEntries", "PacketInspect", "nfq_egressd"],
      path: "scripts/fuzz/Fuzz",
      swiftSettings: settings
    ),
  ]
}
