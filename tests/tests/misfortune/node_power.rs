//! A node loses its power while its agent writes down what it is to run, and starts with no server in reach.

use std::{collections::BTreeMap, time::Duration};

use skep_tests::{ControlPlane, Dice, Disk, Engine, Loopback, SLEEPER, eventually, manifest};

const SOON: Duration = Duration::from_secs(120);
const CUTS: usize = 3;
const DISK_MIB: u64 = 128;

const CONFIG: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {COLOUR: blue, file.txt: from a map}
---
apiVersion: v1
kind: Secret
metadata: {name: token}
stringData: {TOKEN: s3cret}
";

/// One server, and one agent whose data is on a disk that can lose its power.
struct Site {
    cluster: ControlPlane,
    engine: Engine,
    disk: Disk,
}

impl Site {
    fn new() -> Self {
        let engine = Engine::shared();
        let mut cluster = ControlPlane::on_loopback(1);
        let disk = Disk::new(&cluster.data_dir_of_next_agent(), DISK_MIB);
        cluster.add_agent(&Loopback, &engine.host(), &[]);
        Self {
            cluster,
            engine,
            disk,
        }
    }

    /// A pod that has its config and its secret in files, and one that has them in its environment.
    fn apply_pods(&self) {
        let files = format!(
            "{{name: main, image: '{SLEEPER}', volumeMounts: [{{name: settings, mountPath: /settings}}, {{name: token, mountPath: /token}}]}}"
        );
        let volumes = "volumes:
- {name: settings, configMap: {name: settings}}
- {name: token, secret: {secretName: token}}";
        let environment = format!(
            "{{name: main, image: '{SLEEPER}', envFrom: [{{configMapRef: {{name: settings}}}}, {{secretRef: {{name: token}}}}]}}"
        );
        self.cluster.apply(CONFIG);
        self.cluster.apply(&manifest::pod("files", &files, volumes));
        self.cluster
            .apply(&manifest::pod("environment", &environment, ""));
        for pod in ["pod/files", "pod/environment"] {
            self.cluster
                .ok(&["wait", "--for=condition=Ready", pod, "--timeout=90s"]);
        }
    }

    /// The node's running containers: their ids by the names of their pods.
    fn running(&self) -> BTreeMap<String, String> {
        let label = format!("label=skep.io/node={}", self.cluster.agents[0].name);
        let format = "{{.Label \"skep.io/pod-name\"}} {{.ID}}";
        let lines = self
            .engine
            .docker_lines(&["ps", "--no-trunc", "--filter", &label, "--format", format]);
        let pairs = lines.iter().filter_map(|line| line.split_once(' '));
        pairs.map(|(pod, id)| (pod.to_owned(), id.to_owned())).collect()
    }

    fn shell(&self, container: &str, script: &str) -> String {
        let output = self.engine.docker(&["exec", container, "sh", "-c", script]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What every pod is to find, wherever it runs.
    fn finds_its_config(&self, pod: &str, container: &str) -> bool {
        let said = match pod {
            "files" => self.shell(container, "cat /settings/file.txt /token/TOKEN"),
            _ => self.shell(container, "echo $COLOUR $TOKEN"),
        };
        ["from a maps3cret", "blue s3cret\n"].contains(&said.as_str())
    }
}

#[test]
fn a_node_without_power_and_without_a_server_starts_its_pods_and_leaves_alone_what_runs() {
    let mut dice = Dice::new("a node without power", 20_264);
    let mut site = Site::new();
    site.apply_pods();
    // An agent that ends in good order has written down all it knows.
    assert_eq!(site.cluster.agents[0].stop(), Some(0));
    site.cluster.start_agent(0, &Loopback);
    site.cluster.wait_for_node(0, "True");
    for cut in 1..=CUTS {
        // What comes and goes meanwhile is being written down when the power goes.
        for replicas in [3, 1, 2 + cut] {
            let replicas = u32::try_from(replicas).expect("a few");
            site.cluster.apply(&manifest::sleepers("web", replicas));
            let count = usize::try_from(dice.between(0, u64::from(replicas))).expect("a few");
            eventually("some of it has happened", SOON, || {
                let web = site.running().into_keys().filter(|pod| pod.starts_with("web-"));
                (web.count() >= count).then_some(())
            });
        }
        cut_and_start_alone(&mut site, cut % 2 == 1);
        site.cluster.start_server(0, &Loopback);
        site.cluster.wait_for_node(0, "True");
        eventually("the deployment is as it should be", SOON, || {
            let web = site.running().into_keys().filter(|pod| pod.starts_with("web-"));
            (web.count() == 2 + cut && site.cluster.pods("app=web").len() == 2 + cut).then_some(())
        });
    }
}

/// Cuts the power of the agent's disk, ends the server, and starts the agent. The engine and its containers go on, but for
/// that of the pod `files`, which ends where `ends`.
fn cut_and_start_alone(site: &mut Site, ends: bool) {
    // Those that are on their way out may go.
    let stay = site.cluster.pods("");
    let mut before = site.running();
    before.retain(|name, _| stay.iter().any(|pod| pod["metadata"]["name"] == **name));
    site.disk.cut();
    site.cluster.agents[0].kill();
    site.cluster.servers[0].kill();
    if ends {
        site.engine.docker_lines(&["kill", &before["files"]]);
    }
    site.disk.restart();
    let started = site.cluster.agents[0].log().len();
    site.cluster.start_agent(0, &Loopback);
    let data = site.cluster.agents[0].data_dir().display().to_string();
    let list = ["agent", "pods", "--data-dir", &data];
    eventually("the agent goes by what it remembers", SOON, || {
        let said = site.cluster.skep(&list).stdout;
        let running = |name: &str| {
            said.lines()
                .any(|line| line.contains(name) && line.contains("Running"))
        };
        (said.contains("cut off") && running("files") && running("environment")).then_some(())
    });
    let after = eventually("both pods run", SOON, || {
        let running = site.running();
        (running.contains_key("files") && running.contains_key("environment")).then_some(running)
    });
    for pod in ["environment", "files"] {
        // The files of a container that went on are on a disk that has lost its power.
        if pod == "environment" || ends {
            assert!(
                site.finds_its_config(pod, &after[pod]),
                "{pod} does not find its config"
            );
        }
    }
    assert_ne!(
        ends,
        after["files"] == before["files"],
        "it is started where it ended"
    );
    for (pod, id) in before.iter().filter(|(pod, _)| *pod != "files") {
        assert_eq!(
            after.get(pod),
            Some(id),
            "{pod} was well and is not left alone; {}",
            &site.cluster.agents[0].log()[started..]
        );
    }
}
