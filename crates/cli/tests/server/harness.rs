//! A real server without nodes, and the real `skep` against it.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use skep_server::{Ready, ServerConfig};
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::oneshot};
use tokio_util::sync::CancellationToken;

/// Longer than any command here takes.
const PATIENCE: Duration = Duration::from_secs(30);
const TOKEN: &str = "test-token";

/// A server with a folder of its own; ends with its test.
pub(crate) struct Cluster {
    folder: TempDir,
    runtime: Option<Runtime>,
    shutdown: CancellationToken,
    ready: Ready,
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
    /// Exit code.
    pub(crate) code: i32,
}

impl Cluster {
    /// Starts a server and waits until it answers.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let mut config = ServerConfig::new(folder.path().join("data"));
        config.listen = Some("127.0.0.1:0".parse().expect("an address"));
        TOKEN.clone_into(&mut config.token);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime");
        let shutdown = CancellationToken::new();
        let (sender, receiver) = oneshot::channel();
        runtime.spawn(skep_server::run(config, sender, shutdown.clone()));
        let ready = runtime.block_on(async { tokio::time::timeout(PATIENCE, receiver).await });
        let ready = ready
            .expect("the server answers in time")
            .expect("the server starts");
        let cluster = Self {
            folder,
            runtime: Some(runtime),
            shutdown,
            ready,
        };
        cluster.write(
            "config",
            &cluster.config(&format!("unix://{}", cluster.ready.socket.display()), ""),
        );
        cluster
    }

    /// The address that it serves on over TCP.
    pub(crate) fn address(&self) -> String {
        format!(
            "http://{}",
            self.ready.address.expect("the server listens on TCP")
        )
    }

    /// The token that calls over TCP need.
    pub(crate) fn token(&self) -> &'static str {
        TOKEN
    }

    /// A client's config file that names one server.
    pub(crate) fn config(&self, server: &str, token: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
             clusters: [{{name: test, cluster: {{server: '{server}'}}}}]\n\
             users: [{{name: test, user: {{token: '{token}'}}}}]\n\
             contexts: [{{name: test, context: {{cluster: test, user: test}}}}]\n"
        )
    }

    /// Writes a file into the test's folder and gives its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("the test's folder takes files");
        path
    }

    /// The test's folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A command to be started in the test's folder; words are parted by spaces.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skep"));
        command
            .args(line.split_whitespace())
            .current_dir(self.folder.path())
            .env_clear();
        command
            .env("HOME", self.folder.path())
            .env("SKEP_CONFIG", self.folder.path().join("config"));
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn skep(&self, line: &str) -> Outcome {
        Outcome::of(
            self.command(line)
                .stdin(Stdio::null())
                .output()
                .expect("skep starts"),
        )
    }

    /// Runs a command with this on its standard input.
    pub(crate) fn skep_with(&self, line: &str, input: &str) -> Outcome {
        let mut command = self.command(line);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("skep starts");
        child
            .stdin
            .take()
            .expect("a pipe")
            .write_all(input.as_bytes())
            .expect("skep reads its input");
        Outcome::of(child.wait_with_output().expect("skep ends"))
    }

    /// Runs a command that must succeed; gives its standard output.
    #[track_caller]
    pub(crate) fn ok(&self, line: &str) -> String {
        let outcome = self.skep(line);
        assert_eq!(outcome.code, 0, "skep {line}: {outcome:?}");
        outcome.out
    }

    /// Runs a command that must fail with exit code 1; gives its standard error.
    #[track_caller]
    pub(crate) fn fails(&self, line: &str) -> String {
        let outcome = self.skep(line);
        assert_eq!(outcome.code, 1, "skep {line}: {outcome:?}");
        outcome.err
    }

    /// Starts a command whose lines are read as they come.
    pub(crate) fn follow(&self, line: &str) -> Followed {
        let mut child = self
            .command(line)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("skep starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe"));
        Followed { child, lines }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(PATIENCE);
        }
    }
}

impl Outcome {
    fn of(output: Output) -> Self {
        Self {
            out: String::from_utf8(output.stdout).expect("skep writes UTF-8"),
            err: String::from_utf8(output.stderr).expect("skep writes UTF-8"),
            code: output.status.code().expect("skep ends by itself"),
        }
    }
}

/// A command that goes on; ended with the test.
pub(crate) struct Followed {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Followed {
    /// The next line; empty at the end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("skep writes UTF-8");
        line.trim_end().to_owned()
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
