//! A Docker engine: the machine's own, or one of our own in a network namespace, to stop and start at will.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use nix::{sys::signal, unistd::Pid};
use tempfile::TempDir;

use crate::{eventually, image};

/// A Docker engine that tests may use. Dropping an engine of our own ends it and removes all it had.
pub struct Engine {
    socket: PathBuf,
    own: Option<Own>,
}

struct Own {
    dir: TempDir,
    namespace: String,
    bridge: String,
    daemon: Option<Child>,
}

/// How long an engine may take to give up what a node had.
const GONE_WITHIN: Duration = Duration::from_secs(30);

/// Engines of our own so far: tests of one process run side by side.
static ENGINES: AtomicU32 = AtomicU32::new(0);

impl Engine {
    /// The machine's engine.
    ///
    /// # Panics
    /// Where none answers: `./dev test` starts one.
    pub fn shared() -> Self {
        let engine = Self {
            socket: PathBuf::from("/var/run/docker.sock"),
            own: None,
        };
        assert!(
            engine.answers(),
            "no Docker engine answers at /var/run/docker.sock: run ./dev setup"
        );
        image::make_all(&engine);
        engine
    }

    /// An engine of our own, in its own network namespace, with bridge addresses `172.{net}.0.0/16`.
    pub fn own(name: &str, net: u8) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("skep-engine-")
            .tempdir()
            .expect("a folder for the engine");
        let number = ENGINES.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("skep-{name}-{}-{number}", std::process::id());
        run(Command::new("ip").args(["netns", "add", &namespace]));
        run(Command::new("ip").args(["-n", &namespace, "link", "set", "lo", "up"]));
        let socket = dir.path().join("docker.sock");
        let own = Own {
            dir,
            namespace,
            bridge: format!("172.{net}.0.1/16"),
            daemon: None,
        };
        let mut engine = Self {
            socket,
            own: Some(own),
        };
        engine.start();
        image::make_all(&engine);
        engine
    }

    /// The engine's address, for `--docker-host`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// The network namespace of an engine of our own.
    pub fn namespace(&self) -> Option<&str> {
        self.own.as_ref().map(|own| own.namespace.as_str())
    }

    /// The folder it keeps its data in, where it is our own.
    pub fn root(&self) -> Option<&Path> {
        self.own.as_ref().map(|own| own.dir.path())
    }

    /// A command in the engine's network namespace.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        match &self.own {
            None => Command::new(program),
            Some(own) => {
                let mut command = Command::new("nsenter");
                command
                    .arg(format!("--net=/run/netns/{}", own.namespace))
                    .arg(program);
                command
            }
        }
    }

    /// The `docker` command on this engine.
    pub fn docker(&self, args: &[&str]) -> Output {
        let mut command = Command::new("docker");
        command.arg("-H").arg(self.host()).args(args).stdin(Stdio::null());
        command.output().expect("docker is installed")
    }

    /// What `docker` prints, one item a line.
    ///
    /// # Panics
    /// Where it fails.
    pub fn docker_lines(&self, args: &[&str]) -> Vec<String> {
        let output = self.docker(args);
        assert!(
            output.status.success(),
            "docker {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Removes the containers and networks of a node.
    pub fn remove_node(&self, node: &str) {
        remove_node(&self.host(), node);
    }

    /// True where it answers.
    pub fn answers(&self) -> bool {
        self.docker(&["version", "--format", "{{.Server.Version}}"])
            .status
            .success()
    }

    /// Starts an engine of our own.
    ///
    /// # Panics
    /// For the machine's engine, or where it does not come up within a minute.
    pub fn start(&mut self) {
        let own = self.own.as_mut().expect("only an engine of our own is started");
        let path = |name: &str| own.dir.path().join(name).display().to_string();
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path("log"))
            .expect("the engine's log");
        let daemon = Command::new("nsenter")
            .arg(format!("--net=/run/netns/{}", own.namespace))
            .args([
                "dockerd",
                "--data-root",
                &path("data"),
                "--exec-root",
                &path("exec"),
            ])
            .args([
                "-H",
                &format!("unix://{}", path("docker.sock")),
                "--pidfile",
                &path("pid"),
            ])
            .args(["--bip", &own.bridge])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("dockerd is installed");
        own.daemon = Some(daemon);
        eventually("the engine answers", Duration::from_secs(60), || {
            self.answers().then_some(())
        });
    }

    /// Ends an engine of our own, and with it every container's process.
    ///
    /// # Panics
    /// For the machine's engine.
    pub fn stop(&mut self) {
        let own = self.own.as_mut().expect("only an engine of our own is stopped");
        let Some(mut daemon) = own.daemon.take() else {
            return;
        };
        let pid = Pid::from_raw(i32::try_from(daemon.id()).expect("a pid"));
        signal::kill(pid, signal::Signal::SIGTERM).expect("the engine was running");
        daemon.wait().expect("the engine's end");
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.own.is_none() {
            return;
        }
        self.stop();
        let Some(own) = &self.own else { return };
        for mount in mounts_below(own.dir.path()) {
            let _ = nix::mount::umount2(&mount, nix::mount::MntFlags::MNT_DETACH);
        }
        run(Command::new("ip").args(["netns", "delete", &own.namespace]));
    }
}

/// Removes the containers and networks of a node from the engine at this address.
pub(crate) fn remove_node(host: &str, node: &str) {
    let label = format!("label=skep.io/node={node}");
    let docker = |args: &[&str]| {
        let mut command = Command::new("docker");
        let output = command
            .args(["-H", host])
            .args(args)
            .stdin(Stdio::null())
            .output();
        String::from_utf8_lossy(&output.expect("docker is installed").stdout).into_owned()
    };
    // What was asked of the engine before its agent ended may still be on its way: a container that keeps a network.
    let begin = Instant::now();
    eventually("the engine has nothing more of the node", 2 * GONE_WITHIN, || {
        let containers = docker(&["ps", "-aq", "--filter", &label]);
        for id in containers.lines() {
            docker(&["rm", "-f", "-v", id]);
        }
        let networks = docker(&["network", "ls", "-q", "--filter", &label]);
        for id in networks.lines() {
            docker(&["network", "rm", id]);
        }
        let gone = containers.is_empty() && networks.is_empty();
        // A test that has failed already says why; another failure here would hide it.
        (gone || begin.elapsed() > GONE_WITHIN).then_some(())
    });
}

/// Mount points below a folder, deepest first.
fn mounts_below(dir: &Path) -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mut found: Vec<PathBuf> = table
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .map(PathBuf::from)
        .filter(|path| path.starts_with(dir))
        .collect();
    found.sort_by_key(|path| std::cmp::Reverse(path.components().count()));
    found
}

pub(crate) fn run(command: &mut Command) {
    let status = command.status().expect("iproute2 is installed");
    assert!(status.success(), "{command:?} failed");
}
