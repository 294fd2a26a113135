use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};

/// What each room of the workspace may import, beside libraries.
const ALLOWED: &[(&str, &[&str])] = &[
    ("stoa-types", &[]),
    ("stoa-codec", &["stoa-types"]),
    ("stoa-policy", &["stoa-types"]),
    ("stoa-proto", &["stoa-types"]),
    ("stoa-process", &["stoa-types", "stoa-codec"]),
    ("stoa-config", &["stoa-types"]),
    ("stoa-credentials", &["stoa-types", "stoa-telemetry"]),
    ("stoa-telemetry", &[]),
    ("stoa-db", &["stoa-types", "stoa-telemetry"]),
    (
        "stoa-rpc",
        &["stoa-types", "stoa-policy", "stoa-proto", "stoa-telemetry"],
    ),
    (
        "stoa-feed",
        &[
            "stoa-types",
            "stoa-policy",
            "stoa-proto",
            "stoa-rpc",
            "stoa-db",
            "stoa-telemetry",
        ],
    ),
    ("stoa-search", &["stoa-types", "stoa-proto"]),
    ("stoa-mail", &["stoa-types", "stoa-db", "stoa-telemetry"]),
    // What an owner's program outside of this house would have.
    ("stoa-internal-client", &["stoa-proto"]),
    ("stoa-auth", SERVICE),
    ("stoa-users", SERVICE),
    ("stoa-listings", SERVICE),
    ("stoa-event-log", SERVICE),
    (
        "stoa-transactions",
        &[
            "stoa-types",
            "stoa-proto",
            "stoa-rpc",
            "stoa-policy",
            "stoa-db",
            "stoa-feed",
            "stoa-search",
            "stoa-mail",
            "stoa-credentials",
            "stoa-config",
            "stoa-telemetry",
            "stoa-process",
        ],
    ),
    (
        "stoa-gateway",
        &[
            "stoa-types",
            "stoa-proto",
            "stoa-rpc",
            "stoa-policy",
            "stoa-codec",
            "stoa-config",
            "stoa-telemetry",
            "stoa-feed",
        ],
    ),
];

const SERVICE: &[&str] = &[
    "stoa-types",
    "stoa-proto",
    "stoa-rpc",
    "stoa-policy",
    "stoa-db",
    "stoa-feed",
    "stoa-search",
    "stoa-mail",
    "stoa-credentials",
    "stoa-config",
    "stoa-telemetry",
];

/// Rooms that may know every other: the binary, the developer's commands, tests.
const EVERYTHING: &[&str] = &[
    "stoa",
    "xtask",
    "stoa-testkit",
    "stoa-stack-tests",
    "stoa-fault-tests",
    "stoa-architecture",
    "stoa-bench",
];

/// Only tests may import it.
const TESTS_ONLY: &[&str] = &["stoa-testkit"];

fn metadata() -> Metadata {
    MetadataCommand::new().no_deps().exec().unwrap()
}

fn is_room(name: &str) -> bool {
    name == "stoa" || name == "xtask" || name.starts_with("stoa-")
}

#[test]
fn a_room_imports_only_what_the_plan_allows() {
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    for package in metadata().packages {
        if EVERYTHING.contains(&package.name.as_str()) {
            continue;
        }
        let list = allowed.get(package.name.as_str());
        let list = list.unwrap_or_else(|| panic!("{} is not in the plan", package.name));
        let imported: BTreeSet<_> = package
            .dependencies
            .iter()
            .filter(|d| d.kind != DependencyKind::Development && is_room(&d.name))
            .map(|d| d.name.clone())
            .collect();
        for room in imported {
            assert!(
                list.contains(&room.as_str()),
                "{} must not import {room}",
                package.name
            );
        }
    }
}

#[test]
fn test_rooms_are_imported_by_tests_only() {
    for package in metadata().packages {
        for dependency in package.dependencies {
            let tests_only = TESTS_ONLY.contains(&dependency.name.as_str());
            let in_tests = dependency.kind == DependencyKind::Development;
            let is_test_room = EVERYTHING.contains(&package.name.as_str());
            assert!(
                !tests_only || in_tests || is_test_room,
                "{} imports {} outside of tests",
                package.name,
                dependency.name
            );
        }
    }
}

#[test]
fn one_crypto_backend_and_one_sqlite_are_in_the_tree() {
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock");
    let lock = std::fs::read_to_string(lock).unwrap();
    for banned in ["openssl-sys", "native-tls", "rsa", "rusqlite"] {
        assert!(
            !lock.contains(&format!("name = \"{banned}\"\n")),
            "{banned} is in the tree"
        );
    }
}
