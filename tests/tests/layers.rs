//! Holds the crates' dependencies to the table of rooms, and keeps clocks, async and randomness out of the pure crates.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Crate, and the crates of this workspace that it may use.
const MAY_USE: [(&str, &[&str]); 11] = [
    ("base2histogram", &[]),
    ("skep-api", &[]),
    ("skep-state", &["skep-api"]),
    ("skep-trust", &["skep-api"]),
    ("skep-store", &["skep-api", "skep-state"]),
    ("skep-scheduler", &["skep-api"]),
    ("skep-controllers", &["skep-api", "skep-state", "skep-scheduler"]),
    (
        "skep-server",
        &[
            "skep-api",
            "skep-state",
            "skep-store",
            "skep-scheduler",
            "skep-controllers",
            "skep-trust",
        ],
    ),
    (
        "skep-simulator",
        &["skep-api", "skep-state", "skep-scheduler", "skep-controllers"],
    ),
    ("skep-agent", &["skep-api", "skep-trust"]),
    (
        "skep-cli",
        &[
            "skep-api",
            "skep-server",
            "skep-agent",
            "skep-simulator",
            "skep-trust",
        ],
    ),
];

/// Crates that may not look at the world: the same input gives the same output.
const PURE: [&str; 4] = ["api", "state", "scheduler", "controllers"];

const IMPURE_DEPENDENCIES: [&str; 7] = [
    "tokio",
    "rand",
    "uuid",
    "futures",
    "async-trait",
    "bollard",
    "nix",
];

const IMPURE_WORDS: [&str; 9] = [
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "Zoned::now",
    "async fn",
    "std::fs",
    "std::net::Tcp",
    "std::thread",
    "std::env",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace's root")
        .to_owned()
}

/// Crate name -> names of its dependencies, dev-dependencies left out.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| (name(package), normal_dependencies(package)))
        .collect()
}

fn name(value: &Value) -> String {
    value["name"].as_str().expect("a name").to_owned()
}

fn normal_dependencies(package: &Value) -> BTreeSet<String> {
    let all = package["dependencies"].as_array().expect("dependencies");
    all.iter()
        .filter(|dependency| dependency["kind"].is_null())
        .map(name)
        .collect()
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn crates_use_only_what_the_table_of_rooms_allows() {
    let found = dependencies();
    let mut wrong = Vec::new();
    for (name, may_use) in MAY_USE {
        let uses = found
            .get(name)
            .unwrap_or_else(|| panic!("{name} is not in the workspace"));
        let ours = uses.iter().filter(|used| used.starts_with("skep-"));
        wrong.extend(
            ours.filter(|used| !may_use.contains(&used.as_str()))
                .map(|used| format!("{name} uses {used}")),
        );
    }
    assert!(wrong.is_empty(), "against the table of rooms: {wrong:?}");
}

#[test]
fn every_crate_stands_in_the_table_of_rooms() {
    let free = ["skep-sim", "skep-testkit", "skep-tests"];
    let table: BTreeSet<&str> = MAY_USE.iter().map(|(name, _)| *name).chain(free).collect();
    let found = dependencies();
    assert_eq!(found.keys().map(String::as_str).collect::<BTreeSet<_>>(), table);
}

#[test]
fn pure_crates_depend_on_nothing_impure() {
    let found = dependencies();
    for name in PURE {
        let uses = &found[&format!("skep-{name}")];
        let impure: Vec<_> = IMPURE_DEPENDENCIES
            .iter()
            .filter(|word| uses.contains(**word))
            .collect();
        assert!(
            impure.is_empty(),
            "skep-{name} is pure, but depends on {impure:?}"
        );
    }
}

#[test]
fn pure_crates_hold_no_clock_no_async_and_no_input_or_output() {
    let mut wrong = Vec::new();
    for name in PURE {
        let mut files = Vec::new();
        sources(&root().join("crates").join(name).join("src"), &mut files);
        assert!(!files.is_empty(), "no sources of {name}");
        for file in files {
            let text = fs::read_to_string(&file).expect("a readable source");
            let words = IMPURE_WORDS.iter().filter(|word| text.contains(**word));
            wrong.extend(words.map(|word| format!("{}: {word}", file.display())));
        }
    }
    assert!(
        wrong.is_empty(),
        "pure crates get what they need as arguments: {wrong:#?}"
    );
}
