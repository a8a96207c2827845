//! Several servers and agents as processes, to start, kill and cut off at will.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    Lan, Outcome, block,
    cluster::{outcome, skep_binary, unmount_below},
    engine::remove_node,
    eventually,
};

/// Long enough for a slow machine; tests end long before.
const SOON: Duration = Duration::from_secs(60);

/// A machine that a server or an agent runs on.
pub trait Host {
    /// A command on it.
    fn command(&self, program: &Path) -> Command;
    /// The address that other machines reach it by.
    fn address(&self) -> String;
}

/// This machine, by its loopback address.
pub struct Loopback;

impl Host for Loopback {
    fn command(&self, program: &Path) -> Command {
        Command::new(program)
    }

    fn address(&self) -> String {
        "127.0.0.1".to_owned()
    }
}

/// A daemon of skep: its folder, its log, and the process while it runs.
pub struct Daemon {
    /// Of the server or the node.
    pub name: String,
    dir: PathBuf,
    args: Vec<String>,
    process: Option<Child>,
}

/// Several servers and agents. Dropping it ends the processes.
pub struct ControlPlane {
    dir: TempDir,
    skep: PathBuf,
    /// What goes before a client command, such as `nsenter` into the network of the servers.
    client: Vec<String>,
    pod_cidr: String,
    tag: String,
    /// The servers, in the order in which they were added.
    pub servers: Vec<Daemon>,
    /// Their addresses, `host:port`.
    pub addresses: Vec<String>,
    /// The agents, in the order in which they were added.
    pub agents: Vec<Daemon>,
    /// The engine of each agent.
    engines: Vec<String>,
}

/// Client commands for a cluster whose servers come and go meanwhile.
#[derive(Clone)]
pub struct Commands {
    /// The program, and what goes before it.
    words: Vec<OsString>,
    config: PathBuf,
}

/// What a client wrote.
#[derive(Debug, Default)]
pub struct Written {
    /// The config maps that were acknowledged.
    pub acknowledged: Vec<String>,
    /// What was said where one was not.
    pub failures: Vec<String>,
}

impl Commands {
    /// A `skep` command.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.words[0]);
        command
            .args(&self.words[1..])
            .args(args)
            .env("SKEP_CONFIG", &self.config)
            .stdin(Stdio::null());
        command
    }

    /// Makes config maps, one after the other, until told to end.
    ///
    /// # Panics
    /// Where `skep` cannot be started.
    pub fn write_until(&self, done: &AtomicBool) -> Written {
        let mut written = Written::default();
        for number in 0.. {
            if done.load(Ordering::Relaxed) {
                break;
            }
            let name = format!("note-{number}");
            let mut command = self.command(&["create", "configmap", &name, "--from-literal=a=b"]);
            let outcome = outcome(&command.output().expect("skep is built"));
            if outcome.code == 0 {
                written.acknowledged.push(name);
            } else {
                written.failures.push(outcome.stderr);
            }
        }
        written
    }
}

impl Written {
    /// The config maps that were acknowledged and are not there.
    pub fn lost(&self, cluster: &ControlPlane) -> Vec<&str> {
        let there = cluster.ok(&["get", "configmaps", "-o", "name"]);
        let there: BTreeSet<&str> = there
            .lines()
            .map(|line| line.trim_start_matches("configmap/"))
            .collect();
        let names = self.acknowledged.iter().map(String::as_str);
        names.filter(|name| !there.contains(name)).collect()
    }
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl ControlPlane {
    /// None yet.
    pub fn new() -> Self {
        let (number, process) = (NUMBER.fetch_add(1, Ordering::Relaxed), std::process::id());
        let dir = tempfile::Builder::new()
            .prefix("skep-ha-")
            .tempdir()
            .expect("a folder");
        Self {
            dir,
            skep: skep_binary(),
            client: Vec::new(),
            pod_cidr: block::reserve(),
            tag: format!("h{number}-{process}"),
            servers: Vec::new(),
            addresses: Vec::new(),
            agents: Vec::new(),
            engines: Vec::new(),
        }
    }

    /// None yet, with clients in this network.
    pub fn in_lan(lan: &Lan) -> Self {
        let mut cluster = Self::new();
        cluster.client = lan.enter();
        cluster
    }

    /// Where the addresses of pods come from, for servers that are started from now on.
    pub fn set_pod_cidr(&mut self, block: &str) {
        block.clone_into(&mut self.pod_cidr);
    }

    /// This many servers on this machine, all of them voters.
    pub fn on_loopback(servers: usize) -> Self {
        let mut cluster = Self::new();
        for _ in 0..servers {
            cluster.add_server(&Loopback, &[]);
        }
        cluster.wait_for_voters(servers);
        cluster
    }

    /// Starts one more server and waits until it is one; the first one makes the cluster.
    pub fn add_server(&mut self, host: &dyn Host, flags: &[&str]) -> usize {
        let address = format!("{}:{}", host.address(), free_port());
        let index = self.servers.len();
        let name = format!("s{index}");
        let mut args = vec!["server".to_owned(), "--name".to_owned(), name.clone()];
        args.extend(["--advertise", &address, "--listen", &address].map(str::to_owned));
        args.extend(["--pod-cidr", &self.pod_cidr, "--eviction-seconds", "2"].map(str::to_owned));
        args.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let begin = if index == 0 {
            vec!["--init".to_owned()]
        } else {
            let token = self.token("server");
            vec![
                "--join".to_owned(),
                self.addresses.join(","),
                "--token".to_owned(),
                token,
            ]
        };
        self.servers
            .push(Daemon::new(name.clone(), self.path(&name), args));
        self.addresses.push(address);
        let config = self.config();
        self.servers[index].start(host, &self.skep, &begin, &config);
        eventually("the server is one of the cluster", SOON, || {
            let listed = self.member(&name);
            (config.exists() && !listed.is_empty()).then_some(())
        });
        index
    }

    /// Starts one more agent with an engine, and waits until its node is ready.
    pub fn add_agent(&mut self, host: &dyn Host, engine: &str, flags: &[&str]) -> usize {
        let index = self.agents.len();
        let name = self.agent_name(index);
        let mut args = ["agent", "--node-name", &name, "--docker-host", engine]
            .map(str::to_owned)
            .to_vec();
        args.extend(["--join".to_owned(), self.addresses.join(",")]);
        args.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let token = self.token("agent");
        self.engines.push(engine.to_owned());
        self.agents
            .push(Daemon::new(name.clone(), self.path(&name), args));
        let config = self.config();
        self.agents[index].start(host, &self.skep, &["--token".to_owned(), token], &config);
        self.wait_for_node(index, "True");
        index
    }

    /// Starts a server again with the command line that it has as a service.
    pub fn start_server(&mut self, index: usize, host: &dyn Host) {
        let config = self.config();
        self.servers[index].start(host, &self.skep, &[], &config);
    }

    /// Starts a server with further flags.
    pub fn start_server_with(&mut self, index: usize, host: &dyn Host, flags: &[&str]) {
        let config = self.config();
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        self.servers[index].start(host, &self.skep, &flags, &config);
    }

    /// Gives a server that is down another address of its host, for its next start.
    pub fn relocate_server(&mut self, index: usize, host: &dyn Host) {
        let (old, new) = (
            &self.addresses[index],
            format!("{}:{}", host.address(), free_port()),
        );
        for arg in &mut self.servers[index].args {
            if arg == old {
                arg.clone_from(&new);
            }
        }
        self.addresses[index] = new;
    }

    /// Starts an agent again with the command line that it has as a service.
    pub fn start_agent(&mut self, index: usize, host: &dyn Host) {
        let config = self.config();
        self.agents[index].start(host, &self.skep, &[], &config);
    }

    /// Waits until the node of an agent has this status of the condition Ready.
    pub fn wait_for_node(&self, index: usize, ready: &str) {
        let name = &self.agents[index].name;
        eventually(
            &format!("node {name} is Ready={ready}"),
            Duration::from_secs(120),
            || {
                let node = self.object(&format!("node/{name}"));
                let conditions = node["status"]["conditions"].as_array()?;
                let is_ready =
                    |condition: &&Value| condition["type"] == "Ready" && condition["status"] == ready;
                conditions.iter().find(is_ready).map(|_| ())
            },
        );
    }

    /// Waits until this many servers vote and are in reach.
    pub fn wait_for_voters(&self, count: usize) {
        eventually(&format!("{count} servers vote"), SOON, || {
            let listed = self.skep(&["member", "list"]).stdout;
            let voters = listed.lines().filter(|line| line.contains("Ready"));
            let voters = voters.filter(|line| line.contains("leader") || line.contains("voter"));
            (voters.count() == count).then_some(())
        });
    }

    /// The index of the server that leads.
    pub fn leader(&self) -> usize {
        eventually("a server leads", SOON, || {
            let listed = self.skep(&["member", "list"]).stdout;
            let line = listed.lines().find(|line| line.contains("leader"))?;
            let name = line.split_whitespace().next()?;
            self.servers.iter().position(|server| server.name == name)
        })
    }

    /// The line of a server in the list of members; empty where there is none.
    pub fn member(&self, name: &str) -> String {
        let listed = self.skep(&["member", "list"]).stdout;
        let line = listed
            .lines()
            .find(|line| line.split_whitespace().next() == Some(name));
        line.unwrap_or_default().to_owned()
    }

    /// A new join token.
    pub fn token(&self, role: &str) -> String {
        if self.servers.is_empty() {
            return String::new();
        }
        self.ok(&["token", "create", "--role", role]).trim().to_owned()
    }

    /// The administrator's config.
    pub fn config(&self) -> PathBuf {
        self.path("config")
    }

    /// Where the agent that is added next keeps its data.
    pub fn data_dir_of_next_agent(&self) -> PathBuf {
        self.path(&self.agent_name(self.agents.len())).join("data")
    }

    fn agent_name(&self, index: usize) -> String {
        format!("{}-n{index}", self.tag)
    }

    /// A path in the cluster's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Client commands for this cluster, from a thread of its own.
    pub fn commands(&self) -> Commands {
        let mut words: Vec<OsString> = self.client.iter().map(OsString::from).collect();
        words.push(self.skep.clone().into());
        Commands {
            words,
            config: self.config(),
        }
    }

    /// A `skep` client command for this cluster.
    pub fn command(&self, args: &[&str]) -> Command {
        self.commands().command(args)
    }

    /// Runs a client command.
    pub fn skep(&self, args: &[&str]) -> Outcome {
        outcome(&self.command(args).output().expect("skep is built"))
    }

    /// What a client command prints.
    ///
    /// # Panics
    /// Where it fails.
    pub fn ok(&self, args: &[&str]) -> String {
        let outcome = self.skep(args);
        assert_eq!(
            outcome.code, 0,
            "skep {args:?}: {}{}",
            outcome.stdout, outcome.stderr
        );
        outcome.stdout
    }

    /// Applies a manifest, again where no server could take it.
    pub fn apply(&self, manifest: &str) {
        let file = self.path("manifest.yaml");
        fs::write(&file, manifest).expect("the folder takes files");
        let file = file.display().to_string();
        eventually("the manifest is applied", SOON, || {
            (self.skep(&["apply", "-f", &file]).code == 0).then_some(())
        });
    }

    /// An object, or `null` where there is none.
    pub fn object(&self, resource: &str) -> Value {
        let outcome = self.skep(&["get", resource, "-o", "json"]);
        serde_json::from_str(&outcome.stdout).unwrap_or(Value::Null)
    }

    /// The pods that match, those that are ending left out.
    pub fn pods(&self, selector: &str) -> Vec<Value> {
        let listed = self.skep(&["get", "pods", "-l", selector, "-o", "json"]);
        let list: Value = serde_json::from_str(&listed.stdout).unwrap_or_default();
        let items = list["items"].as_array().cloned().unwrap_or_default();
        items
            .into_iter()
            .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null())
            .collect()
    }

    /// The ids of the containers that pods say they run, sorted.
    pub fn containers_of(&self, selector: &str) -> Vec<String> {
        let pods = self.pods(selector);
        let statuses = pods
            .iter()
            .filter_map(|pod| pod["status"]["containerStatuses"].as_array());
        let ids = statuses
            .flatten()
            .filter_map(|status| status["containerID"].as_str());
        let mut ids: Vec<_> = ids.map(str::to_owned).collect();
        ids.sort();
        ids
    }

    /// What every process has logged, for a test that fails.
    pub fn logs(&self) -> String {
        let daemons = self.servers.iter().chain(&self.agents);
        daemons
            .map(|daemon| format!("--- {}\n{}", daemon.name, daemon.log()))
            .collect()
    }
}

impl Default for ControlPlane {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
        for daemon in self.servers.iter_mut().chain(&mut self.agents) {
            daemon.resume();
            daemon.kill();
        }
        for (agent, engine) in self.agents.iter().zip(&self.engines) {
            remove_node(engine, &agent.name);
        }
        unmount_below(self.dir.path());
    }
}

impl Daemon {
    fn new(name: String, dir: PathBuf, args: Vec<String>) -> Self {
        Self {
            name,
            dir,
            args,
            process: None,
        }
    }

    fn start(&mut self, host: &dyn Host, skep: &Path, flags: &[String], config: &Path) {
        fs::create_dir_all(&self.dir).expect("a folder");
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.dir.join("log"))
            .expect("a log");
        let mut command = host.command(skep);
        command
            .args(&self.args)
            .args(flags)
            .arg("--data-dir")
            .arg(self.data_dir())
            .env("SKEP_CONFIG", config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.process = Some(command.spawn().expect("skep is built"));
    }

    /// The process' id.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// The folder of its data.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Kills the process as a crash would: no goodbye, no flush.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("the process runs");
            process.wait().expect("its end");
        }
    }

    /// Ends the process as an operator would, and waits for its end; the exit code.
    pub fn stop(&mut self) -> Option<i32> {
        self.signal(Signal::SIGTERM);
        self.process
            .take()
            .and_then(|mut process| process.wait().expect("its end").code())
    }

    /// Waits for the process to end by itself; the exit code.
    pub fn wait(&mut self) -> Option<i32> {
        let process = self.process.as_mut().expect("it runs");
        let ended = eventually("the process ends", SOON, || {
            process.try_wait().expect("it is ours")
        });
        self.process = None;
        ended.code()
    }

    /// Whether the process runs: false where it has ended by itself.
    pub fn is_running(&mut self) -> bool {
        let process = self.process.as_mut();
        process.is_some_and(|process| process.try_wait().expect("it is ours").is_none())
    }

    /// Freezes the process: it says nothing any more.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets a frozen process go on.
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            let pid = Pid::from_raw(i32::try_from(process.id()).expect("a pid"));
            kill(pid, signal).expect("the process runs");
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}
