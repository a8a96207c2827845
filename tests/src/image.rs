//! Images for tests, made from busybox alone: no registry is asked.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{Command, Stdio},
};

use crate::Engine;

/// Ends when told to; nothing else.
pub const SLEEPER: &str = "skep-test/sleeper:1";
/// A web server on port 8080: `/health`, `/ready`, `/version` (`v1`).
pub const WEB_V1: &str = "skep-test/web:v1";
/// The same, `/version` is `v2`.
pub const WEB_V2: &str = "skep-test/web:v2";

const SLEEP: &str = "#!/bin/sh\ntrap 'exit 0' TERM INT\nwhile :; do sleep 3600 & wait $!; done\n";
const SERVE: &str = "#!/bin/sh
httpd -f -p 8080 -h /www &
trap 'kill $!; exit 0' TERM INT
wait $!
";

/// Makes the images that the engine does not have.
pub(crate) fn make_all(engine: &Engine) {
    make(engine, SLEEPER, SLEEP, "");
    make(engine, WEB_V1, SERVE, "v1");
    make(engine, WEB_V2, SERVE, "v2");
}

fn make(engine: &Engine, name: &str, start: &str, version: &str) {
    if engine.docker(&["image", "inspect", name]).status.success() {
        return;
    }
    let root = tempfile::tempdir().expect("a folder for the image");
    fill(root.path(), start, version);
    let mut tar = Command::new("tar")
        .args(["-C", &root.path().display().to_string(), "-c", "."])
        .stdout(Stdio::piped())
        .spawn()
        .expect("tar is installed");
    let status = Command::new("docker")
        .arg("-H")
        .arg(engine.host())
        .args([
            "import",
            "-c",
            r#"CMD ["/start"]"#,
            "-c",
            "ENV PATH=/bin",
            "-",
            name,
        ])
        .stdin(tar.stdout.take().expect("tar's output is piped"))
        .stdout(Stdio::null())
        .status()
        .expect("docker is installed");
    assert!(
        status.success() && tar.wait().expect("tar's end").success(),
        "image {name} could not be made"
    );
}

fn fill(root: &Path, start: &str, version: &str) {
    for dir in ["bin", "www", "tmp", "etc", "dev", "proc", "sys"] {
        fs::create_dir(root.join(dir)).expect("an empty folder");
    }
    let busybox = ["/bin/busybox", "/usr/bin/busybox"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    let busybox = busybox.expect("busybox-static is installed: run ./dev setup");
    fs::copy(busybox, root.join("bin/busybox")).expect("busybox is copied");
    for applet in [
        "sh", "sleep", "httpd", "cat", "echo", "ls", "id", "env", "true", "false", "wget", "rm", "touch",
        "kill", "stat", "dd", "grep",
    ] {
        symlink("busybox", root.join("bin").join(applet)).expect("a link");
    }
    for page in ["health", "ready"] {
        fs::write(root.join("www").join(page), "ok\n").expect("a page");
    }
    fs::write(root.join("www/version"), version).expect("a page");
    fs::write(root.join("start"), start).expect("the start script");
    fs::set_permissions(root.join("start"), fs::Permissions::from_mode(0o755)).expect("its mode");
}
