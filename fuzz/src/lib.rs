//! What comes from outside, in every shape. Each target takes any bytes; it may refuse them, and may not panic, hang, or
//! take in what it does not give back. Fuzzers run them (`./dev fuzz`), and so do the tests, over the seeds.

// Parts of programs, and of no library.
#[path = "../../crates/cli/src/output/columns.rs"]
mod columns;
#[path = "../../crates/cli/src/output/jsonpath/mod.rs"]
mod jsonpath;
#[path = "../../crates/server/src/write/json_patch.rs"]
mod patches;
#[path = "../../crates/cli/src/output/table.rs"]
mod table;

use std::sync::LazyLock;

use columns::CustomColumns;
use jsonpath::JsonPath;
use prost::Message as _;
use serde_json::Value;
use skep_api::{
    FieldSelector, Kind, Quantity, Time,
    admit::{self, Validation},
    convert, explain as explained, labels, merge as merging,
    proto::CreateRequest,
    yaml,
};
use skep_trust::{Bundle, Ca, Certificate, Identity, KeyPairFile, Token, Validity};
use table::Table;

/// A target, and the name of its seeds' folder.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 14] = [
    ("manifest", manifest),
    ("merge", merge),
    ("json_patch", json_patch),
    ("template", template),
    ("columns", columns),
    ("selector", selector),
    ("quantity", quantity),
    ("document", document),
    ("explain", explain),
    ("token", token),
    ("certificate", certificate),
    ("log_record", log_record),
    ("snapshot", snapshot),
    ("peer_message", peer_message),
];

/// A manifest of any kind, in YAML or JSON. What is admitted is admitted again as it was stored, and stays the same.
pub fn manifest(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for value in yaml::documents(text).unwrap_or_default() {
        let written = yaml::to_string(&value);
        let read = yaml::documents(&written);
        assert!(read.is_ok(), "written, and not read: {read:?}\n{written}");
        drop(admit::decode(value.clone(), Validation::Ignore));
        drop(admit::decode(value.clone(), Validation::Warn));
        let Ok(first) = admit::decode(value, Validation::Strict) else {
            continue;
        };
        let stored = first.object.to_value();
        let again =
            admit::decode(stored.clone(), Validation::Strict).expect("what was admitted is admitted again");
        assert_eq!(again.object.to_value(), stored, "defaults settle at once");
    }
}

/// Two or three documents with a zero byte between: what is there, what is wanted, and what was wanted before. A strategic
/// or three-way merge done again changes nothing more, where no directive asks for it.
pub fn merge(bytes: &[u8]) {
    let mut parts = bytes.split(|byte| *byte == 0);
    let mut next = || {
        parts
            .next()
            .and_then(|part| serde_json::from_slice::<Value>(part).ok())
    };
    let (Some(live), Some(wanted)) = (next(), next()) else {
        return;
    };
    let before = next();
    let merged = merging::merge_patch(&live, &wanted);
    assert_eq!(merging::merge_patch(&merged, &wanted), merged);
    for kind in Kind::ALL {
        drop(merging::strategic(&live, &wanted, kind));
        drop(merging::three_way(before.as_ref(), &live, &wanted, kind));
    }
}

/// A document and a JSON patch with a zero byte between.
pub fn json_patch(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let mut next = || serde_json::from_slice::<Value>(parts.next()?).ok();
    if let (Some(mut document), Some(patch)) = (next(), next()) {
        drop(patches::apply(&mut document, &patch));
    }
}

/// Templates of `-o jsonpath`.
pub fn template(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(template) = JsonPath::parse(text) {
        drop(template.render(&POD));
    }
}

/// Columns of `-o custom-columns` and of a template file.
pub fn columns(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for columns in [CustomColumns::parse(text), CustomColumns::parse_template(text)] {
        let Ok(columns) = columns else { continue };
        let mut table: Table = columns.table();
        if let Ok(row) = columns.row(&POD) {
            table.push(row);
        }
        let lines = table.render().lines().count();
        assert!(lines >= 1, "a table has its headings: {text}");
    }
}

/// What templates and columns are about.
static POD: LazyLock<Value> = LazyLock::new(|| {
    serde_json::json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "web", "labels": { "app": "web", "a.b/c": "d" }, "finalizers": [] },
        "spec": { "containers": [
            { "name": "main", "image": "web:1", "ports": [{ "containerPort": 80 }, { "containerPort": 443 }] },
            { "name": "side", "image": "side:1", "args": ["-v", "1", null, true, 1.5] },
        ] },
        "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] },
    })
});

/// Label and field selectors.
pub fn selector(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(selector) = labels::parse(text) {
        selector.matches(&[("app".to_owned(), "web".to_owned())].into());
    }
    for kind in Kind::ALL {
        drop(FieldSelector::parse(kind, text));
    }
}

/// Quantities. What is read is written so that it is read as the same.
pub fn quantity(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(quantity) = text.parse::<Quantity>() else {
        return;
    };
    let written = quantity.to_string();
    let again: Quantity = written.parse().expect("what is written can be read");
    assert_eq!(
        again.millis(),
        quantity.millis(),
        "{text} is written as {written}"
    );
    quantity.units();
}

/// A document on the wire, as `google.protobuf.Struct`.
pub fn document(bytes: &[u8]) {
    let Ok(request) = CreateRequest::decode(bytes) else {
        return;
    };
    let value = convert::value_from_struct(request.object.unwrap_or_default());
    let again = convert::struct_from_value(value.clone()).expect("a document is a mapping");
    assert_eq!(convert::value_from_struct(again), value);
    drop(admit::decode(value, Validation::Strict));
}

/// Paths of `explain`.
pub fn explain(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    drop(explained::explain(text, false));
}

/// Join tokens. What is read is written so that it is read as the same.
pub fn token(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(token) = text.parse::<Token>() {
        assert_eq!(
            token.to_string().parse::<Token>().expect("it was read before"),
            token
        );
    }
}

/// Certificates, bundles, keys and CSRs.
pub fn certificate(bytes: &[u8]) {
    static CA: LazyLock<Ca> = LazyLock::new(|| Ca::create(Time::from_secs(1_800_000_000)));
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    drop(Certificate::from_pem(text));
    drop(Bundle::from_pem(text));
    drop(KeyPairFile::from_pem(text));
    let identity = Identity::Server {
        id: 1,
        name: "a".to_owned(),
    };
    let validity = Validity::from(Time::from_secs(1_800_000_000), std::time::Duration::from_secs(60));
    drop(CA.issue(text, &identity, &["a".to_owned()], validity));
}

/// Records of the log on the disk.
pub fn log_record(bytes: &[u8]) {
    skep_store::fuzzing::log_record(bytes);
}

/// Snapshots: as a file, and as what stands behind checksums that are right.
pub fn snapshot(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    skep_store::fuzzing::snapshot(&folder.path().join("any.snapshot"), bytes);
}

/// Messages from other servers.
pub fn peer_message(bytes: &[u8]) {
    skep_store::fuzzing::peer_message(bytes);
}
