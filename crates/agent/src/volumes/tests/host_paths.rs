//! Paths of the node.

use std::{fs, os::unix::net::UnixListener, path::Path};

use serde_json::json;

use super::Node;

/// What comes of a host path of a type: its path, or why not.
fn check(path: &Path, r#type: &str) -> Result<(), String> {
    let node = Node::with(json!({ "hostPath": { "path": path, "type": r#type } }));
    match node.set_up() {
        Ok(found) => {
            assert_eq!(found, path, "the path itself is mounted");
            Ok(())
        }
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn each_type_takes_what_it_is_and_refuses_all_else() {
    let place = tempfile::tempdir().expect("a folder");
    let (dir, file, socket) = (
        place.path().join("dir"),
        place.path().join("file"),
        place.path().join("socket"),
    );
    fs::create_dir(&dir).expect("a folder");
    fs::write(&file, "").expect("a file");
    let _listener = UnixListener::bind(&socket).expect("a socket");
    let device = Path::new("/dev/null");
    let kinds = [
        ("Directory", &*dir, "directory"),
        ("DirectoryOrCreate", &*dir, "directory"),
        ("File", &*file, "file"),
        ("FileOrCreate", &*file, "file"),
        ("Socket", &*socket, "socket file"),
        ("CharDevice", device, "character device"),
    ];
    for (r#type, right, what) in kinds {
        for path in [&*dir, &*file, &*socket, device] {
            let expected = if path == right {
                Ok(())
            } else {
                Err(format!(
                    "hostPath type check failed: {} is not a {what}",
                    path.display()
                ))
            };
            assert_eq!(check(path, r#type), expected, "{type}");
        }
    }
    assert!(
        check(device, "BlockDevice")
            .expect_err("it is none")
            .ends_with("/dev/null is not a block device")
    );
    for path in [&*dir, &*file, &*socket, device] {
        assert_eq!(check(path, ""), Ok(()), "nothing is checked");
    }
}

#[test]
fn what_may_be_made_is_made_and_the_rest_is_missed() {
    let place = tempfile::tempdir().expect("a folder");
    let at = |name: &str| place.path().join(name);
    check(&at("a/b"), "DirectoryOrCreate").expect("it is made");
    check(&at("c"), "FileOrCreate").expect("it is made");
    check(&at("d/e"), "").expect("it is made");
    assert!(at("a/b").is_dir() && at("c").is_file() && at("d/e").is_dir());
    for r#type in ["Directory", "File", "Socket", "CharDevice", "BlockDevice"] {
        assert!(check(&at("missing"), r#type).is_err(), "{type}");
    }
    assert!(
        check(&at("no/file"), "FileOrCreate").is_err(),
        "its folder is missing"
    );
    assert!(!at("missing").exists() && !at("no").exists());
}
