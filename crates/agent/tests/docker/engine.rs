//! A real engine for one test: unique names, conditions to wait on, and clearing up.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use bytes::Bytes;
use futures::StreamExt;
use rand::RngExt;
use skep_agent::runtime::{
    Container, ContainerSpec, Docker, ExecSpec, LogOptions, Network, NetworkMode, Output, RunState, Runtime,
};

const LABEL: &str = "skep.io/agent-test";
const PATIENCE: Duration = Duration::from_secs(30);

/// A Docker engine with everything this test makes on it.
pub(crate) struct Engine {
    pub(crate) docker: Docker,
    id: String,
    made: AtomicU32,
}

impl Engine {
    /// The machine's engine.
    ///
    /// # Panics
    /// Where no engine answers: these tests mean nothing without one.
    pub(crate) async fn new() -> Self {
        let docker = Docker::default();
        if let Err(error) = docker.info().await {
            panic!(
                "these tests need a Docker engine at {}: {error}",
                Docker::DEFAULT_HOST
            );
        }
        let id = format!("{:016x}", rand::rng().random::<u64>());
        let engine = Self {
            docker,
            id,
            made: AtomicU32::new(0),
        };
        engine.import_busybox();
        engine
    }

    pub(crate) fn labels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([(LABEL.to_owned(), self.id.clone())])
    }

    pub(crate) fn image(&self) -> String {
        format!("skep-agent-test/busybox:{}", self.id)
    }

    /// A container that runs a shell script.
    pub(crate) fn script(&self, script: &str) -> ContainerSpec {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        ContainerSpec {
            name: format!("skep-agent-test-{}-{number}", self.id),
            labels: self.labels(),
            image: self.image(),
            entrypoint: ["/bin/busybox", "sh", "-c"].map(str::to_owned).to_vec(),
            command: vec![script.to_owned()],
            env: vec!["PATH=/bin".to_owned()],
            network: NetworkMode::None,
            ..ContainerSpec::default()
        }
    }

    pub(crate) async fn run(&self, spec: &ContainerSpec) -> String {
        // An engine without CAP_SYS_RESOURCE refuses negative scores.
        let spec = ContainerSpec {
            oom_score_adj: spec.oom_score_adj.max(0),
            ..spec.clone()
        };
        let id = self.docker.create(&spec).await.expect("the container is made");
        self.docker.start(&id).await.expect("the container starts");
        id
    }

    /// Runs a script to its end and answers with what it wrote.
    pub(crate) async fn output_of(&self, spec: &ContainerSpec) -> String {
        let id = self.run(spec).await;
        self.ended(&id).await;
        self.log(&id).await
    }

    pub(crate) async fn log(&self, id: &str) -> String {
        let mut chunks = self
            .docker
            .logs(id, &LogOptions::default())
            .await
            .expect("there is a log");
        let mut text = Vec::new();
        while let Some(chunk) = chunks.next().await {
            text.extend(bytes(chunk.expect("the log can be read")));
        }
        String::from_utf8(text).expect("the log is text")
    }

    /// Runs a command in a container: its output and exit code.
    pub(crate) async fn exec(&self, id: &str, command: &[&str]) -> (String, i32) {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        let exec = self
            .docker
            .exec(
                id,
                &ExecSpec {
                    command,
                    ..ExecSpec::default()
                },
            )
            .await
            .expect("exec");
        let text: Vec<_> = exec
            .output
            .map(|chunk| bytes(chunk.expect("output")))
            .collect()
            .await;
        let code = exec
            .exit_code
            .await
            .expect("it ends")
            .expect("it has an exit code");
        (
            String::from_utf8(text.concat()).expect("the output is text"),
            code,
        )
    }

    pub(crate) async fn container(&self, id: &str) -> Container {
        self.docker
            .container(id)
            .await
            .expect("the engine answers")
            .expect("the container is there")
    }

    /// Waits until a container has ended: its exit code and whether it ran out of memory.
    pub(crate) async fn ended(&self, id: &str) -> (i32, bool) {
        until("the container ends", || async {
            match self.container(id).await.state {
                RunState::Exited { code, oom_killed, .. } => Some((code, oom_killed)),
                _ => None,
            }
        })
        .await
    }

    /// A network of its own, on addresses that no other network has.
    pub(crate) async fn network(&self) -> Network {
        let mut last = None;
        for _ in 0..20 {
            let network = self.network_at(random_block());
            match self.docker.ensure_network(&network).await {
                Ok(()) => return network,
                Err(error) => last = Some(error),
            }
        }
        panic!("no block of addresses is free: {last:?}");
    }

    pub(crate) fn network_at(&self, block: [u8; 3]) -> Network {
        let [a, b, c] = block;
        Network {
            name: format!("skep-agent-test-{}", self.id),
            cidr: format!("{a}.{b}.{c}.0/24"),
            gateway: Some(Ipv4Addr::new(a, b, c, 1)),
            labels: self.labels(),
        }
    }

    fn import_busybox(&self) {
        let mut tar = Command::new("tar")
            .args(["-C", "/", "-c", "bin/busybox"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("tar is installed");
        let archive = tar.stdout.take().expect("the archive is piped");
        let import = Command::new("docker")
            .args(["import", "-", &self.image()])
            .stdin(archive)
            .output();
        let import = import.expect("the docker client is installed");
        let complaint = String::from_utf8_lossy(&import.stderr);
        assert!(
            import.status.success(),
            "cannot import /bin/busybox (package busybox-static): {complaint}"
        );
        assert!(
            tar.wait().expect("tar ends").success(),
            "cannot read /bin/busybox (package busybox-static)"
        );
    }
}

impl Drop for Engine {
    /// By the client, since the runtime may be gone, and test by test, since others may be running.
    fn drop(&mut self) {
        let filter = format!("label={LABEL}={}", self.id);
        let containers = docker(&["ps", "-aq", "--filter", &filter]);
        for id in containers.split_whitespace() {
            docker(&["rm", "-f", "-v", id]);
        }
        for id in docker(&["network", "ls", "-q", "--filter", &filter]).split_whitespace() {
            docker(&["network", "rm", id]);
        }
        docker(&["rmi", "-f", &self.image()]);
    }
}

/// A random block of 256 addresses that tests use.
pub(crate) fn random_block() -> [u8; 3] {
    let mut random = rand::rng();
    [10, random.random_range(160..=239), random.random()]
}

/// Waits until something holds.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut condition: impl FnMut() -> F,
) -> T {
    let holds = async {
        loop {
            if let Some(value) = condition().await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, holds)
        .await
        .unwrap_or_else(|_| panic!("waited too long until {what}"))
}

pub(crate) fn bytes(output: Output) -> Bytes {
    match output {
        Output::Stdout(bytes) | Output::Stderr(bytes) => bytes,
    }
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output();
    output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default()
}
