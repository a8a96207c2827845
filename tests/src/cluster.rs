//! A real `skep up` on a folder of its own.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{Engine, block, eventually};

/// A running `skep up`. Dropping it ends the process and removes its containers, network and data.
pub struct Cluster {
    /// The engine its pods run on.
    pub engine: Engine,
    dir: TempDir,
    node: String,
    pod_cidr: String,
    process: Option<Child>,
    skep: PathBuf,
    /// More arguments of `skep up`.
    extra: Vec<String>,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Outcome {
    /// Exit code; -1 where a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

static CLUSTERS: AtomicU32 = AtomicU32::new(0);

impl Cluster {
    /// A cluster on the machine's engine, ready to take pods.
    pub fn start() -> Self {
        Self::start_on(Engine::shared())
    }

    /// A cluster on this engine, ready to take pods.
    pub fn start_on(engine: Engine) -> Self {
        let mut cluster = Self::prepare(engine);
        cluster.up();
        cluster.wait_for_node();
        cluster
    }

    /// A cluster that is not started yet.
    pub fn prepare(engine: Engine) -> Self {
        let number = CLUSTERS.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let dir = tempfile::Builder::new()
            .prefix("skep-test-")
            .tempdir()
            .expect("a folder for the cluster");
        Self {
            engine,
            dir,
            node: format!("n{number}-{process}"),
            pod_cidr: block::reserve(),
            process: None,
            skep: skep_binary(),
            extra: Vec::new(),
        }
    }

    /// A cluster on the machine's engine whose node has these arguments, ready to take pods.
    pub fn start_with(args: &[&str]) -> Self {
        let mut cluster = Self::prepare(Engine::shared());
        cluster.set_args(args);
        cluster.up();
        cluster.wait_for_node();
        cluster
    }

    /// More arguments of `skep up`, from its next start on.
    pub fn set_args(&mut self, args: &[&str]) {
        self.extra = args.iter().map(|arg| (*arg).to_owned()).collect();
    }

    /// Starts `skep up` and returns at once.
    pub fn up(&mut self) {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .expect("its log");
        let mut command = self.engine.command(&self.skep);
        command
            .args([
                "up",
                "--listen",
                "none",
                "--node-name",
                &self.node,
                "--pod-cidr",
                &self.pod_cidr,
            ])
            .args(["--docker-host", &self.engine.host()])
            .args(&self.extra)
            .arg("--data-dir")
            .arg(self.path("data"))
            .env("SKEP_CONFIG", self.path("config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.process = Some(command.spawn().expect("skep is built"));
    }

    /// Waits until the node is ready.
    pub fn wait_for_node(&self) {
        let node = format!("node/{}", self.node);
        eventually("the node is ready", Duration::from_secs(60), || {
            let wait = ["wait", "--for=condition=Ready", &node, "--timeout=30s"];
            (self.path("config").exists() && self.skep(&wait).code == 0).then_some(())
        });
    }

    /// Kills the process as a crash would: no goodbye, no flush.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("the process runs");
            process.wait().expect("its end");
        }
    }

    /// The process' id.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// The node's name.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// A path in the cluster's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What the process has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// A `skep` client command for this cluster.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.skep);
        command
            .args(args)
            .env("SKEP_CONFIG", self.path("config"))
            .stdin(Stdio::null());
        command
    }

    /// Runs a client command.
    pub fn skep(&self, args: &[&str]) -> Outcome {
        outcome(&self.command(args).output().expect("skep is built"))
    }

    /// Runs a client command with something on its standard input.
    pub fn skep_with_input(&self, args: &[&str], input: &str) -> Outcome {
        let mut command = self.command(args);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("skep is built");
        let mut stdin = child.stdin.take().expect("its input is piped");
        stdin.write_all(input.as_bytes()).expect("it reads its input");
        drop(stdin);
        outcome(&child.wait_with_output().expect("its end"))
    }

    /// What a client command prints.
    ///
    /// # Panics
    /// Where it fails.
    pub fn ok(&self, args: &[&str]) -> String {
        let outcome = self.skep(args);
        assert_eq!(
            outcome.code,
            0,
            "skep {args:?}: {}{}\n{}",
            outcome.stdout,
            outcome.stderr,
            self.log()
        );
        outcome.stdout
    }

    /// Applies a manifest.
    ///
    /// # Panics
    /// Where it is refused.
    pub fn apply(&self, manifest: &str) -> String {
        let outcome = self.skep_with_input(&["apply", "-f", "-"], manifest);
        assert_eq!(outcome.code, 0, "apply: {}{}", outcome.stdout, outcome.stderr);
        outcome.stdout
    }

    /// An object, or `null` where there is none.
    pub fn object(&self, resource: &str) -> Value {
        let outcome = self.skep(&["get", resource, "-o", "json"]);
        serde_json::from_str(&outcome.stdout).unwrap_or(Value::Null)
    }

    /// Ids and names of the engine's containers for pods of this cluster, running ones only.
    pub fn running_containers(&self) -> Vec<String> {
        let label = format!("label=skep.io/node={}", self.node);
        let mut lines = self.engine.docker_lines(&[
            "ps",
            "--no-trunc",
            "--filter",
            &label,
            "--format",
            "{{.ID}} {{.Names}}",
        ]);
        lines.sort();
        lines
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the log of skep up:\n{}", self.log());
        }
        self.kill();
        self.engine.remove_node(&self.node);
        unmount_below(self.dir.path());
    }
}

pub(crate) fn unmount_below(dir: &Path) {
    let table = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mounts = table
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .filter(|path| Path::new(path).starts_with(dir));
    for mount in mounts {
        let _ = nix::mount::umount2(mount, nix::mount::MntFlags::MNT_DETACH);
    }
}

pub(crate) fn outcome(output: &std::process::Output) -> Outcome {
    Outcome {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The binary under test: `SKEP_BIN`, else the one built beside this test.
pub(crate) fn skep_binary() -> PathBuf {
    if let Some(path) = env::var_os("SKEP_BIN") {
        return PathBuf::from(path);
    }
    let test = env::current_exe().expect("a test knows its own path");
    let found = test
        .ancestors()
        .map(|dir| dir.join("skep"))
        .find(|path| path.is_file());
    found.expect("skep is not built: run ./dev test, or cargo build -p skep-cli")
}
