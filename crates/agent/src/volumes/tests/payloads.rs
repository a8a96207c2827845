//! Config maps, secrets, the pod's own fields, and several of them in one.

use std::fs;

use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use serde_json::json;

use super::{Node, group, mode, names, text};

fn settings() -> Node {
    let mut node = Node::with(json!({ "configMap": { "name": "settings" } }));
    node.config_map("settings", json!({ "color": "red", "size": "xl" }));
    node
}

#[test]
fn a_config_map_has_a_file_for_each_key() {
    let node = settings();
    let path = node.path();
    assert_eq!(names(&path), ["color", "size"]);
    assert_eq!(
        (text(&path.join("color")), mode(&path.join("color"))),
        ("red".to_owned(), 0o644)
    );
}

#[test]
fn bytes_are_files_too() {
    let mut node = Node::with(json!({ "configMap": { "name": "settings" } }));
    let map = json!({ "binaryData": { "blob": "//8A" } });
    let map = serde_json::from_value(map).expect("a config map");
    node.sources
        .config_maps
        .insert("settings".to_owned(), std::sync::Arc::new(map));
    assert_eq!(
        fs::read(node.path().join("blob")).expect("a file"),
        [0xff, 0xff, 0]
    );
}

#[test]
fn a_change_shows_at_one_stroke_through_the_folder_that_is_there() {
    let mut node = settings();
    let path = node.path();
    // What a container holds open: the folder itself.
    let before = fs::read_link(path.join("..data")).expect("a link");
    node.config_map("settings", json!({ "color": "green", "shape": "round" }));
    assert!(node.refresh(), "something changed");
    assert_eq!(names(&path), ["color", "shape"], "the name that is gone is gone");
    assert_eq!(text(&path.join("color")), "green");
    assert_ne!(fs::read_link(path.join("..data")).expect("a link"), before);
    assert!(!path.join(&before).exists(), "the files of before are gone");
}

#[test]
fn without_a_change_nothing_is_touched() {
    let node = settings();
    let path = node.path();
    let before = fs::read_link(path.join("..data")).expect("a link");
    assert!(!node.refresh());
    node.set_up().expect("again");
    assert_eq!(fs::read_link(path.join("..data")).expect("a link"), before);
}

#[test]
fn an_interrupted_update_is_made_good() {
    let mut node = settings();
    let path = node.path();
    fs::create_dir(path.join("..2")).expect("half of an update");
    fs::write(path.join("..2/color"), "half").expect("half of an update");
    std::os::unix::fs::symlink("..2", path.join("..data_new")).expect("half of an update");
    node.config_map("settings", json!({ "color": "green" }));
    assert!(node.refresh());
    assert_eq!(
        (names(&path), text(&path.join("color"))),
        (vec!["color".to_owned()], "green".to_owned())
    );
    assert!(fs::symlink_metadata(path.join("..data_new")).is_err());
}

#[test]
fn a_file_that_lost_its_content_is_written_again() {
    let node = settings();
    let path = node.path();
    fs::write(path.join("color"), "").expect("a power cut");
    node.set_up().expect("again");
    assert_eq!(text(&path.join("color")), "red");
}

#[test]
fn chosen_keys_lie_where_they_are_wanted_with_their_modes() {
    let items = json!([{ "key": "color", "path": "a/b/c", "mode": 0o600 }, { "key": "size", "path": "a/d" }]);
    let mut node =
        Node::with(json!({ "configMap": { "name": "settings", "items": items, "defaultMode": 0o640 } }));
    node.config_map("settings", json!({ "color": "red", "size": "xl", "other": "-" }));
    let path = node.path();
    assert_eq!(names(&path), ["a"]);
    assert_eq!(
        (text(&path.join("a/b/c")), mode(&path.join("a/b/c"))),
        ("red".to_owned(), 0o600)
    );
    assert_eq!(
        (text(&path.join("a/d")), mode(&path.join("a/d"))),
        ("xl".to_owned(), 0o640)
    );
}

#[test]
fn secrets_lie_in_memory_for_their_owner_only() {
    let mut node = Node::with(json!({ "secret": { "secretName": "access" } }));
    node.secret("access", json!({ "token": "czNjcmV0" }));
    let path = node.path();
    assert_eq!(
        statfs(&path).expect("a file system").filesystem_type(),
        TMPFS_MAGIC
    );
    assert_eq!(
        (text(&path.join("token")), mode(&path.join("token"))),
        ("s3cret".to_owned(), 0o400)
    );
    node.set_up().expect("again, without another mount on top");
    node.secret("access", json!({ "token": "bmV3" }));
    assert!(node.refresh());
    assert_eq!(text(&path.join("token")), "new");
}

#[test]
fn the_pods_group_owns_and_reads_its_files() {
    let mut node = Node::with_spec(
        json!({ "secret": { "secretName": "access" } }),
        json!({ "securityContext": { "fsGroup": 4321 } }),
    );
    node.secret("access", json!({ "token": "czNjcmV0" }));
    let token = node.path().join("token");
    assert_eq!((group(&token), mode(&token)), (4321, 0o440));
    assert!(!node.refresh(), "the wider mode is no change");
}

#[test]
fn fields_of_the_pod_are_files_and_follow_it() {
    let items = json!([
        { "path": "labels", "fieldRef": { "fieldPath": "metadata.labels" } },
        { "path": "memory", "resourceFieldRef": { "containerName": "web", "resource": "limits.memory", "divisor": "1Mi" } },
    ]);
    let mut node = Node::with(json!({ "downwardAPI": { "items": items } }));
    let path = node.path();
    assert_eq!(
        (text(&path.join("labels")), text(&path.join("memory"))),
        ("app=\"web\"".to_owned(), "64".to_owned())
    );
    node.pod
        .metadata
        .labels
        .insert("tier".to_owned(), "front".to_owned());
    assert!(node.refresh());
    assert_eq!(text(&path.join("labels")), "app=\"web\"\ntier=\"front\"");
}

#[test]
fn several_sources_share_a_folder() {
    let mut node = Node::with(json!({ "projected": { "defaultMode": 0o440, "sources": [
        { "configMap": { "name": "settings", "items": [{ "key": "color", "path": "config/color" }] } },
        { "secret": { "name": "access" } },
        { "downwardAPI": { "items": [{ "path": "name", "fieldRef": { "fieldPath": "metadata.name" } }] } },
    ] } }));
    node.config_map("settings", json!({ "color": "red" }));
    node.secret("access", json!({ "token": "czNjcmV0" }));
    let path = node.path();
    assert_eq!(names(&path), ["config", "name", "token"]);
    assert_eq!(
        (text(&path.join("config/color")), mode(&path.join("token"))),
        ("red".to_owned(), 0o440)
    );
    assert_eq!(
        statfs(&path).expect("a file system").filesystem_type(),
        TMPFS_MAGIC
    );
}

#[test]
fn what_is_missing_is_named_as_kubernetes_names_it() {
    let refusal = |source| {
        let mut node = Node::with(source);
        node.config_map("settings", json!({}));
        node.secret("access", json!({}));
        node.set_up().expect_err("refused").to_string()
    };
    let items = json!([{ "key": "k", "path": "k" }]);
    assert_eq!(
        refusal(json!({ "configMap": { "name": "none" } })),
        "configmap \"none\" not found"
    );
    assert_eq!(
        refusal(json!({ "secret": { "secretName": "none" } })),
        "secret \"none\" not found"
    );
    assert_eq!(
        refusal(json!({ "configMap": { "name": "settings", "items": items } })),
        "configmap references non-existent config key: k"
    );
    assert_eq!(
        refusal(json!({ "secret": { "secretName": "access", "items": items } })),
        "references non-existent secret key: k"
    );
}

#[test]
fn what_is_optional_may_be_missing_and_come_later() {
    let mut node = Node::with(json!({ "configMap": { "name": "settings", "optional": true } }));
    let path = node.path();
    assert!(names(&path).is_empty());
    node.config_map("settings", json!({ "color": "red" }));
    assert!(node.refresh());
    assert_eq!(text(&path.join("color")), "red");
}

#[test]
fn a_file_cannot_leave_its_volume() {
    for bad in ["../x", "/x", "a/../../x", "..data", ""] {
        let items = json!([{ "key": "color", "path": bad }]);
        let mut node = Node::with(json!({ "configMap": { "name": "settings", "items": items } }));
        node.config_map("settings", json!({ "color": "red" }));
        let error = node.set_up().expect_err("refused").to_string();
        assert!(
            error.ends_with("must be relative and stay within its volume"),
            "{bad}: {error}"
        );
    }
}
