//! What a container sees of its pod's volumes.

use std::{fs, os::unix::fs::symlink};

use serde_json::{Value, json};

use super::{Node, UID, text};
use crate::volumes::VolumeError;

/// A node with a container `web` that mounts its volume like this.
fn mounting(source: Value, mount: Value) -> Node {
    let mut fields = mount;
    fields["name"] = json!("v");
    fields["mountPath"] = json!("/data");
    let node = Node::with_spec(
        source,
        json!({ "containers": [{ "name": "web", "image": "web", "volumeMounts": [fields] }] }),
    );
    let mut node = node;
    node.config_map("settings", json!({ "color": "red" }));
    node
}

fn empty_dir(mount: Value) -> Node {
    mounting(json!({ "emptyDir": {} }), mount)
}

#[test]
fn a_mount_says_where_and_how() {
    let node = empty_dir(json!({ "readOnly": true, "mountPropagation": "HostToContainer" }));
    let path = node.path();
    let mounts = node.mounts().expect("mounts");
    let [mount] = mounts.as_slice() else {
        panic!("one mount: {mounts:?}")
    };
    assert_eq!(
        (
            &mount.source,
            mount.target.as_str(),
            mount.read_only,
            mount.propagation
        ),
        (&path, "/data", true, "rslave")
    );
    let plain = empty_dir(json!({}));
    plain.path();
    let mount = plain.mounts().expect("mounts").remove(0);
    assert_eq!((mount.read_only, mount.propagation), (false, "rprivate"));
}

#[test]
fn files_from_documents_are_read_only_whatever_the_mount_says() {
    let node = mounting(
        json!({ "configMap": { "name": "settings" } }),
        json!({ "readOnly": false }),
    );
    node.path();
    assert!(node.mounts().expect("mounts")[0].read_only);
}

#[test]
fn a_part_of_a_volume_is_made_where_it_is_missing() {
    let node = empty_dir(json!({ "subPath": "a/b" }));
    let path = node.path();
    let mount = node.mounts().expect("mounts").remove(0);
    fs::write(mount.source.join("note"), "hello").expect("it can be written");
    assert_eq!(
        text(&path.join("a/b/note")),
        "hello",
        "it is the volume's own folder"
    );
    let again = node.mounts().expect("mounts").remove(0);
    assert_eq!(
        text(&again.source.join("note")),
        "hello",
        "the next run sees the same"
    );
}

#[test]
fn a_part_may_be_a_file_and_stays_what_it_was() {
    let mut node = mounting(
        json!({ "configMap": { "name": "settings" } }),
        json!({ "subPath": "color" }),
    );
    node.path();
    let mount = node.mounts().expect("mounts").remove(0);
    assert_eq!(text(&mount.source), "red");
    node.config_map("settings", json!({ "color": "green" }));
    assert!(node.refresh());
    assert_eq!(text(&mount.source), "red", "a running container keeps its file");
    let next = node.mounts().expect("mounts").remove(0);
    assert_eq!(text(&next.source), "green", "the next run has the new one");
}

#[test]
fn a_missing_part_of_a_config_map_is_named() {
    let node = mounting(
        json!({ "configMap": { "name": "settings" } }),
        json!({ "subPath": "size" }),
    );
    node.path();
    let error = node.mounts().expect_err("there is no such key");
    assert_eq!(error.to_string(), "subPath \"size\" is not in volume \"v\"");
}

#[test]
fn a_symlink_does_not_lead_out_of_its_volume() {
    let outside = tempfile::tempdir().expect("a folder");
    fs::write(outside.path().join("secret"), "s3cret").expect("a file");
    for (link, sub_path) in [
        (outside.path().to_owned(), "way/secret"),
        ("../../../../../../../..".into(), "way/etc/passwd"),
    ] {
        let node = empty_dir(json!({ "subPath": sub_path }));
        let path = node.path();
        symlink(&link, path.join("way")).expect("a container's trap");
        match node.mounts() {
            // Within the volume the link may lead to something that could be made; it is empty.
            Ok(mounts) => assert_eq!(
                fs::read_dir(&mounts[0].source).expect("a folder").count(),
                0,
                "{}",
                link.display()
            ),
            Err(error) => assert!(
                matches!(error, VolumeError::NoSubPath { .. } | VolumeError::Io { .. }),
                "{error}"
            ),
        }
        assert_eq!(
            fs::read_dir(outside.path()).expect("a folder").count(),
            1,
            "nothing was made outside"
        );
    }
}

#[test]
fn a_symlink_within_a_volume_leads_where_it_says() {
    let node = empty_dir(json!({ "subPath": "current/note" }));
    let path = node.path();
    fs::create_dir(path.join("v1")).expect("a folder");
    fs::write(path.join("v1/note"), "hello").expect("a file");
    symlink("/v1", path.join("current")).expect("a link, absolute as the container sees it");
    assert_eq!(text(&node.mounts().expect("mounts")[0].source), "hello");
}

#[test]
fn a_part_may_not_climb() {
    let node = empty_dir(json!({ "subPath": "a/../../x" }));
    node.path();
    assert_eq!(node.mounts(), Err(VolumeError::Path("a/../../x".to_owned())));
}

#[test]
fn a_part_of_a_host_path_survives_the_pod() {
    let host = tempfile::tempdir().expect("a folder");
    let node = mounting(
        json!({ "hostPath": { "path": host.path() } }),
        json!({ "subPath": "a" }),
    );
    node.path();
    let mount = node.mounts().expect("mounts").remove(0);
    fs::write(mount.source.join("note"), "kept").expect("it can be written");
    node.volumes.tear_down(UID).expect("it goes");
    assert_eq!(text(&host.path().join("a/note")), "kept");
}

#[test]
fn each_run_has_a_file_for_its_last_words() {
    let node = empty_dir(json!({}));
    let container = &node.pod.spec.containers[0];
    let file = |attempt| {
        let mounts = node
            .volumes
            .mounts(&node.pod, container, attempt)
            .expect("mounts");
        let mount = mounts
            .into_iter()
            .find(|mount| mount.target == "/dev/termination-log")
            .expect("one for last words");
        assert!(!mount.read_only);
        mount.source
    };
    let words = |attempt| node.volumes.termination_message(UID, "web", attempt);
    node.path();
    assert_eq!(words(0), "", "there is none yet");
    fs::write(file(0), "first").expect("it can be written");
    assert_eq!(super::mode(&file(0)), 0o666);
    fs::write(file(1), "x".repeat(5000) + "end").expect("it can be written");
    assert_eq!(
        (words(0), words(1)),
        ("first".to_owned(), "x".repeat(4093) + "end")
    );
    file(2);
    assert_eq!(
        (words(0).as_str(), words(1).len()),
        ("", 4096),
        "only the last two are kept"
    );
}
