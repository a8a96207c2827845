//! The end of a pod's folder.

use std::fs;

use serde_json::json;

use super::{Node, UID, text};
use crate::{
    spec::Facts,
    volumes::{VolumeError, tmpfs},
};

#[test]
fn all_mounts_and_files_go_and_going_again_succeeds() {
    let mut node = Node::with(json!({ "secret": { "secretName": "access" } }));
    node.secret("access", json!({ "token": "czNjcmV0" }));
    node.path();
    let pods = node.data.path().join("pods");
    assert_eq!(tmpfs::mounts_below(&pods).expect("a table").len(), 1);
    node.volumes.tear_down(UID).expect("it goes");
    node.volumes.tear_down(UID).expect("it is gone");
    assert!(tmpfs::mounts_below(&pods).expect("a table").is_empty());
    assert_eq!(fs::read_dir(&pods).expect("a folder").count(), 0);
}

#[test]
fn a_mount_within_an_empty_dir_is_unmounted_not_emptied() {
    let node = Node::with(json!({ "emptyDir": {} }));
    let inner = node.path().join("inner");
    let other = tempfile::tempdir().expect("a folder");
    fs::write(other.path().join("note"), "kept").expect("a file");
    fs::create_dir(&inner).expect("a folder");
    let flags = nix::mount::MsFlags::MS_BIND;
    nix::mount::mount(Some(other.path()), &inner, None::<&str>, flags, None::<&str>)
        .expect("a container's mount");
    node.volumes.tear_down(UID).expect("it goes");
    assert_eq!(text(&other.path().join("note")), "kept");
}

#[test]
fn a_symlink_is_removed_not_followed() {
    let node = Node::with(json!({ "emptyDir": {} }));
    let other = tempfile::tempdir().expect("a folder");
    fs::write(other.path().join("note"), "kept").expect("a file");
    std::os::unix::fs::symlink(other.path(), node.path().join("link")).expect("a link");
    node.volumes.tear_down(UID).expect("it goes");
    assert_eq!(text(&other.path().join("note")), "kept");
}

#[test]
fn pods_that_have_something_here_are_known() {
    let node = Node::with(json!({ "emptyDir": {} }));
    assert_eq!(node.volumes.known(), Ok(Vec::new()), "nothing is there yet");
    node.path();
    assert_eq!(node.volumes.known(), Ok(vec![UID.to_owned()]));
    node.volumes.tear_down(UID).expect("it goes");
    assert_eq!(node.volumes.known(), Ok(Vec::new()));
}

#[test]
fn a_uid_that_is_a_path_touches_nothing() {
    let mut node = Node::with(json!({ "emptyDir": {} }));
    node.path();
    for uid in ["", ".", "..", "../x", "/etc", "a/b", "a/"] {
        assert_eq!(
            node.volumes.tear_down(uid),
            Err(VolumeError::Name(uid.to_owned()))
        );
        node.pod.metadata.uid = uid.to_owned();
        assert!(
            node.volumes
                .set_up(&node.pod, &node.sources, &Facts::default())
                .is_err(),
            "{uid}"
        );
    }
    assert_eq!(node.volumes.known(), Ok(vec![UID.to_owned()]));
}
