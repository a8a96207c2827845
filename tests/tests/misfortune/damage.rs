//! Files of one of three servers are damaged or gone: it says so and what to do, or mends it; and joins again, wiped.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Duration,
};

use skep_tests::{Client, ControlPlane, Loopback, eventually};

const SOON: Duration = Duration::from_secs(60);
const VICTIM: usize = 2;

/// Three servers with so much in them that each has taken a snapshot, and some more in the log behind it.
fn used() -> (ControlPlane, usize) {
    let cluster = ControlPlane::on_loopback(3);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let client = {
        let _within = runtime.enter();
        Client::new(&cluster.config(), &cluster.addresses)
    };
    let create = |name: &str, text: &str| {
        let revision = runtime.block_on(client.create(0, name, text));
        revision.expect("it is created");
    };
    let text = "x".repeat(900 * 1024);
    for number in 0..20 {
        create(&format!("large-{number}"), &text);
    }
    eventually("every server has taken a snapshot", SOON, || {
        let mut servers = cluster.servers.iter();
        servers
            .all(|server| !snapshots(&server.data_dir()).is_empty())
            .then_some(())
    });
    for number in 0..20 {
        create(&format!("small-{number}"), "a little");
    }
    (cluster, 40)
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).map(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.expect("a folder").expect("its entries");
    let paths = entries.into_iter().map(|entry| entry.path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|have| have == extension))
        .collect();
    paths.sort();
    paths
}

fn snapshots(data: &Path) -> Vec<PathBuf> {
    files(&data.join("server/snapshots"), "snapshot")
}

fn newest_snapshot(data: &Path) -> PathBuf {
    snapshots(data).pop().expect("it has taken one")
}

fn last_log(data: &Path) -> PathBuf {
    files(&data.join("server/log"), "wal")
        .pop()
        .expect("there is a log")
}

/// Changes one byte, a part of the way into the file.
fn flip(path: &Path, part: (u64, u64)) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .expect("a file");
    let at = file.metadata().expect("its size").len() * part.0 / part.1;
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("a byte");
    file.write_all_at(&[byte[0] ^ 0x55], at).expect("a byte");
}

/// All that is expected is there, asked of the server that was damaged.
fn check(cluster: &ControlPlane, expected: usize) {
    let server = format!("https://{}", cluster.addresses[VICTIM]);
    let listed = eventually("the server answers", SOON, || {
        let listed = cluster.skep(&["--server", &server, "get", "configmaps", "-o", "name"]);
        (listed.code == 0).then_some(listed.stdout)
    });
    let ours = listed
        .lines()
        .filter(|line| line.contains("large-") || line.contains("small-"));
    assert_eq!(ours.count(), expected, "{listed}");
}

/// The server does not start, and its last words name the file and what to do.
fn refuses_to_start(cluster: &mut ControlPlane, words: &[&str]) {
    let before = cluster.servers[VICTIM].log().len();
    cluster.start_server(VICTIM, &Loopback);
    let code = cluster.servers[VICTIM].wait();
    let said = cluster.servers[VICTIM].log().split_off(before);
    assert_eq!(code, Some(1), "{said}");
    for word in words {
        assert!(said.contains(word), "`{word}` is missing: {said}");
    }
}

/// The server has everything that it should, or does not start, and says what to do.
fn recovers_or_refuses(cluster: &mut ControlPlane, expected: usize, words: &[&str]) {
    let before = cluster.servers[VICTIM].log().len();
    cluster.start_server(VICTIM, &Loopback);
    let recovered = eventually("it is a voter, or has ended", SOON, || {
        if !cluster.servers[VICTIM].is_running() {
            return Some(false);
        }
        let line = cluster.member("s2");
        (line.contains("Ready") && line.contains("voter")).then_some(true)
    });
    if recovered {
        return check(cluster, expected);
    }
    let said = cluster.servers[VICTIM].log().split_off(before);
    for word in words {
        assert!(said.contains(word), "`{word}` is missing: {said}");
    }
    wipe_and_rejoin(cluster, expected);
}

/// The folder is emptied, and the server joins under a new number; the old one goes.
fn wipe_and_rejoin(cluster: &mut ControlPlane, expected: usize) {
    let id = |cluster: &ControlPlane| {
        let line = cluster.member("s2");
        line.split_whitespace().nth(1).map(str::to_owned)
    };
    let before = id(cluster);
    fs::remove_dir_all(cluster.servers[VICTIM].data_dir()).expect("its folder");
    let (token, known) = (cluster.token("server"), cluster.addresses[0].clone());
    cluster.start_server_with(VICTIM, &Loopback, &["--join", &known, "--token", &token]);
    eventually("the wiped server has a new number", SOON, || {
        let now = id(cluster);
        (now.is_some() && now != before).then_some(())
    });
    cluster.wait_for_voters(3);
    check(cluster, expected);
}

#[test]
fn a_torn_end_of_the_log_is_mended() {
    let (mut cluster, expected) = used();
    cluster.servers[VICTIM].kill();
    let log = last_log(&cluster.servers[VICTIM].data_dir());
    let whole = fs::read(&log).expect("the log");
    let mut file = OpenOptions::new().append(true).open(&log).expect("the log");
    file.write_all(&whole[..20]).expect("the beginning of a record");
    cluster.start_server(VICTIM, &Loopback);
    cluster.wait_for_voters(3);
    check(&cluster, expected);
}

#[test]
fn damaged_or_lost_files_are_named_and_the_server_joins_again() {
    let (mut cluster, expected) = used();
    let data = cluster.servers[VICTIM].data_dir();

    cluster.servers[VICTIM].kill();
    flip(&last_log(&data), (1, 2));
    refuses_to_start(&mut cluster, &["the log in", "is damaged", "join again"]);
    wipe_and_rejoin(&mut cluster, expected);

    eventually("it has a snapshot again", SOON, || {
        (!snapshots(&data).is_empty()).then_some(())
    });
    cluster.servers[VICTIM].kill();
    flip(&newest_snapshot(&data), (1, 2));
    refuses_to_start(&mut cluster, &["snapshot", "is damaged", "join again"]);

    for snapshot in snapshots(&data) {
        fs::remove_file(snapshot).expect("a snapshot");
    }
    recovers_or_refuses(&mut cluster, expected, &["a snapshot is missing", "join again"]);

    cluster.servers[VICTIM].kill();
    fs::remove_file(data.join("server/identity.json")).expect("the identity");
    refuses_to_start(&mut cluster, &["identity.json", "is missing"]);
    fs::remove_file(data.join("member.json")).expect("the record");
    refuses_to_start(&mut cluster, &["no server's yet"]);
    wipe_and_rejoin(&mut cluster, expected);
}
