//! A server whose key a passphrase guards, as a process: it waits, is unlocked, and leaves nothing to read on its disk.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::harness::Outcome;

/// The machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

const WORD: &str = "the-secret-word-of-this-test";

/// A server's folder, and its process while it runs.
struct Server {
    folder: TempDir,
    process: Option<Child>,
}

impl Server {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("right"), "straw and mud\n").unwrap();
        fs::write(folder.path().join("wrong"), "bricks\n").unwrap();
        Self {
            folder,
            process: None,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path("data")
    }

    fn skep(&self, args: &[&str], input: &str) -> Outcome {
        let mut command = self.command(args);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        Outcome {
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code().unwrap(),
        }
    }

    /// A command that has to succeed; what it says.
    fn ok(&self, args: &[&str], input: &str) -> String {
        let outcome = self.skep(args, input);
        assert_eq!(outcome.code, 0, "{args:?}: {outcome:?}");
        outcome.out
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skep"));
        command
            .args(args)
            .env("SKEP_CONFIG", self.path("config"))
            .env_remove("NOTIFY_SOCKET");
        command
    }

    /// A command about this server's own folder.
    fn here(&self, args: &[&str]) -> Vec<String> {
        let data = self.data().display().to_string();
        args.iter()
            .map(|arg| (*arg).to_owned())
            .chain(["--data-dir".to_owned(), data])
            .collect()
    }

    fn local(&self, args: &[&str], input: &str) -> Outcome {
        let args = self.here(args);
        self.skep(&args.iter().map(String::as_str).collect::<Vec<_>>(), input)
    }

    fn start(&mut self) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .unwrap();
        let args = self.here(&[
            "server",
            "--init",
            "--name",
            "a",
            "--listen",
            "127.0.0.1:0",
            "--advertise",
            "127.0.0.1:0",
            "--backup-interval",
            "1s",
        ]);
        // Port 0 is another one each time, which a server that is one already does not take: the first one stays.
        let args = self.with_port(args);
        let mut command = self.command(&args.iter().map(String::as_str).collect::<Vec<_>>());
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        self.process = Some(command.spawn().unwrap());
    }

    fn with_port(&self, mut args: Vec<String>) -> Vec<String> {
        let Ok(record) = fs::read(self.data().join("member.json")) else {
            return args;
        };
        let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
        let address = record["address"].as_str().unwrap();
        for arg in &mut args {
            if arg == "127.0.0.1:0" {
                address.clone_into(arg);
            }
        }
        args
    }

    fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        let pid = nix::unistd::Pid::from_raw(i32::try_from(process.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        assert!(process.wait().unwrap().success(), "{}", self.log());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    /// Waits until a command's output has this in it.
    fn wait_for(&self, what: &str) {
        let begun = Instant::now();
        loop {
            let outcome = self.local(&["server", "status"], "");
            if outcome.out.contains(what) {
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "no `{what}` in {outcome:?}\n{}",
                self.log()
            );
            std::thread::yield_now();
        }
    }

    fn socket(&self) -> String {
        format!("unix://{}", self.data().join("skep.sock").display())
    }

    /// The files of the store that hold the secret word.
    fn telling(&self) -> Vec<PathBuf> {
        let mut telling = Vec::new();
        collect(&self.data(), &mut telling);
        telling
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().ok();
            process.wait().ok();
        }
    }
}

/// A backup that is not half written.
fn whole(backups: &Path) -> Option<PathBuf> {
    let mut paths = fs::read_dir(backups).ok()?.map(|entry| entry.unwrap().path());
    paths.find(|path| path.extension().is_some_and(|extension| extension == "snapshot"))
}

fn collect(dir: &Path, telling: &mut Vec<PathBuf>) {
    let coded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, WORD);
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, telling);
            continue;
        }
        // Sockets cannot be read.
        let bytes = fs::read(&path).unwrap_or_default();
        let holds = |word: &[u8]| bytes.windows(word.len()).any(|window| window == word);
        // The server's own key for TLS is the one that lies in the clear.
        let key = holds(b"PRIVATE KEY") && !dir.ends_with("tls");
        if holds(WORD.as_bytes()) || holds(coded.as_bytes()) || key {
            telling.push(path);
        }
    }
}

#[test]
fn a_locked_server_waits_for_its_passphrase_and_its_disk_tells_nothing() {
    let mut server = Server::new();
    server.start();
    server.wait_for("guarded by nothing");
    let socket = server.socket();
    let begun = Instant::now();
    let literal = format!("--from-literal=word={WORD}");
    while server
        .skep(
            &["--server", &socket, "create", "secret", "generic", "s", &literal],
            "",
        )
        .code
        != 0
    {
        assert!(begun.elapsed() < PATIENCE, "{}", server.log());
    }
    server.ok(
        &[
            "--server",
            &socket,
            "snapshot",
            "save",
            &server.path("clear").display().to_string(),
        ],
        "",
    );
    let sealed = server.path("sealed").display().to_string();
    let right = server.path("right").display().to_string();
    let wrong = server.path("wrong").display().to_string();
    server.ok(
        &[
            "--server",
            &socket,
            "snapshot",
            "save",
            &sealed,
            "--passphrase-file",
            &right,
        ],
        "",
    );

    // The lock, which the next start waits for; the key is another one at once.
    let key = |server: &Server| {
        let status = server.local(&["server", "status"], "").out;
        let mut words = status.split(' ').skip_while(|word| *word != "key");
        words.nth(1).map(str::to_owned)
    };
    let before = key(&server);
    let locked = server.local(&["server", "lock", "--passphrase-file", &right], "");
    assert_eq!(locked.code, 0, "{locked:?}");
    assert!(locked.out.contains("forgotten the old one"), "{locked:?}");
    server.wait_for("guarded by a passphrase");
    let first = key(&server);
    assert_ne!(first, before);
    let refused = server.local(
        &["server", "lock", "--rotate", "--old-passphrase-file", &wrong],
        "",
    );
    assert!(
        refused.code != 0 && refused.err.contains("does not fit"),
        "{refused:?}"
    );
    let rotated = server.local(
        &["server", "lock", "--rotate", "--old-passphrase-file", &right],
        "",
    );
    assert!(rotated.out.contains("forgotten the old one"), "{rotated:?}");
    assert_ne!(key(&server), first);
    let backups = server.data().join("server/backups");
    while whole(&backups).is_none() {
        assert!(begun.elapsed() < PATIENCE, "{}", server.log());
        std::thread::yield_now();
    }
    server.stop();

    // It waits, and serves nothing.
    server.start();
    server.wait_for("waits for its passphrase");
    let refused = server.skep(
        &["--server", &socket, "get", "secrets", "--request-timeout", "2s"],
        "",
    );
    assert_ne!(refused.code, 0);
    assert!(refused.err.contains("skep server unlock"), "{refused:?}");
    let refused = server.local(&["server", "unlock", "--passphrase-file", &wrong], "");
    assert!(
        refused.code != 0 && refused.err.contains("does not fit"),
        "{refused:?}"
    );
    let early = server.local(&["server", "unlock"], "bricks\n");
    assert!(early.code != 0 && early.err.contains("try again in"), "{early:?}");
    let begun = Instant::now();
    while server
        .local(&["server", "unlock", "--passphrase-file", &right], "")
        .code
        != 0
    {
        assert!(begun.elapsed() < PATIENCE, "{}", server.log());
    }
    server.wait_for("guarded by a passphrase");
    let begun = Instant::now();
    while !server
        .skep(&["--server", &socket, "get", "secrets"], "")
        .out
        .contains("Opaque")
    {
        assert!(begun.elapsed() < PATIENCE, "{}", server.log());
    }
    assert_eq!(server.telling(), Vec::<PathBuf>::new());
    server.stop();

    // What is done to a folder that is locked, or none of a server's.
    let elsewhere = server.path("elsewhere").display().to_string();
    for command in ["lock", "recover"] {
        let mut args = vec!["server", command, "--data-dir", &elsewhere];
        if command == "recover" {
            args.push("--the-others-are-lost");
        }
        let refused = server.skep(&args, "");
        assert!(
            refused.code != 0 && refused.err.contains("--data-dir"),
            "{refused:?}"
        );
    }
    assert!(!server.path("elsewhere").exists(), "nothing is made there");
    let backup = whole(&backups).unwrap().display().to_string();
    let refused = server.skep(&["snapshot", "inspect", &backup], "bricks\n");
    assert!(refused.err.contains("does not fit"), "{refused:?}");
    assert!(
        server
            .ok(&["snapshot", "inspect", &backup], "straw and mud\n")
            .contains("Revision:")
    );
    let recover = ["server", "recover", "--the-others-are-lost"];
    assert_ne!(server.local(&recover, "bricks\n").code, 0);
    let recovered = server.local(&recover, "straw and mud\n");
    assert_eq!(recovered.code, 0, "{recovered:?}");

    // What was saved needs no key of the server's, but its own passphrase.
    assert!(
        server
            .ok(
                &["snapshot", "inspect", &server.path("clear").display().to_string()],
                ""
            )
            .contains(" secrets")
    );
    assert_ne!(server.skep(&["snapshot", "inspect", &sealed], "bricks\n").code, 0);
    let new = server.path("new").display().to_string();
    server.ok(
        &[
            "snapshot",
            "restore",
            &sealed,
            "--data-dir",
            &new,
            "--passphrase-file",
            &right,
        ],
        "",
    );
}
