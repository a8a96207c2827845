//! Folders that live as long as their pod.

use std::fs;

use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use serde_json::json;

use super::{Node, group, mode, text};

#[test]
fn a_folder_on_disk_is_for_everyone_and_keeps_what_is_in_it() {
    let node = Node::with(json!({ "emptyDir": {} }));
    let path = node.path();
    assert_eq!(mode(&path), 0o777);
    fs::write(path.join("note"), "kept").expect("it can be written");
    node.set_up().expect("again");
    assert_eq!(text(&path.join("note")), "kept");
}

#[test]
fn what_containers_did_to_their_folder_stays() {
    use std::os::unix::fs::PermissionsExt;
    let node = Node::with(json!({ "emptyDir": {} }));
    let path = node.path();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("a container closes it");
    node.set_up().expect("again");
    assert_eq!(mode(&path), 0o700);
}

#[test]
fn the_pods_group_owns_its_folder_and_what_is_made_in_it() {
    let node = Node::with_spec(
        json!({ "emptyDir": {} }),
        json!({ "securityContext": { "fsGroup": 4321 } }),
    );
    let path = node.path();
    fs::write(path.join("note"), "").expect("it can be written");
    assert_eq!(
        (mode(&path), group(&path), group(&path.join("note"))),
        (0o2777, 4321, 4321)
    );
}

#[test]
fn a_folder_in_memory_holds_as_much_as_it_may() {
    let node = Node::with(json!({ "emptyDir": { "medium": "Memory", "sizeLimit": "64Ki" } }));
    let path = node.path();
    assert_eq!(
        statfs(&path).expect("a file system").filesystem_type(),
        TMPFS_MAGIC
    );
    assert_eq!(mode(&path), 0o777);
    fs::write(path.join("small"), vec![0; 32 << 10]).expect("it fits");
    let error = fs::write(path.join("big"), vec![0; 64 << 10]).expect_err("it does not fit");
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    fs::remove_file(path.join("big")).expect("it goes");
    node.set_up().expect("again, without another mount on top");
    assert!(path.join("small").exists());
}

#[test]
fn a_folder_on_disk_that_holds_too_much_is_reported() {
    let node = Node::with(json!({ "emptyDir": { "sizeLimit": "64Ki" } }));
    let path = node.path();
    fs::create_dir(path.join("deep")).expect("a folder");
    fs::write(path.join("deep/a"), vec![1; 32 << 10]).expect("a file");
    assert_eq!(node.volumes.exceeded(&node.pod), Ok(None));
    fs::write(path.join("deep/b"), vec![1; 40 << 10]).expect("a file");
    let words = "Usage of EmptyDir volume \"v\" exceeds the limit \"64Ki\".";
    assert_eq!(node.volumes.exceeded(&node.pod), Ok(Some(words.to_owned())));
}
