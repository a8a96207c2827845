//! 50 replicas, from the command to the last one ready, and away again: skep, Swarm, and the engine alone.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use skep_tests::{Cluster, Engine, SLEEPER, eventually};

use crate::report::{Report, Row};

const REPLICAS: usize = 50;
const PARALLEL: usize = 8;
/// A bridge as pods are on: with its own addresses and the engine's name server.
const NETWORK: &str = "bench";
const LIMIT: Duration = Duration::from_secs(300);

/// Seconds to deploy and to delete.
#[derive(Clone, Copy)]
struct Times {
    deploy: f64,
    delete: f64,
}

pub(crate) fn run(report: &mut Report, rounds: usize) {
    let mut cluster = Cluster::start_on(Engine::own("bench", 31));
    cluster
        .engine
        .docker_lines(&["swarm", "init", "--advertise-addr", "127.0.0.1"]);
    warm_up(&cluster.engine);
    cluster
        .engine
        .docker_lines(&["network", "create", "--subnet", "10.199.0.0/24", NETWORK]);
    for round in 1..=rounds {
        let raw = raw_engine(&cluster.engine, "bridge");
        let alike = raw_engine(&cluster.engine, NETWORK);
        let swarm = swarm(&cluster.engine);
        let ours = skep(&mut cluster);
        let row = |name: &str| {
            if rounds == 1 {
                name.to_owned()
            } else {
                format!("{name}, round {round}")
            }
        };
        add(
            report,
            row("50 replicas ready, against Swarm"),
            ours.deploy,
            swarm.deploy,
            0.45,
        );
        add(
            report,
            row("50 replicas ready, against the raw engine"),
            ours.deploy,
            raw.deploy,
            1.3,
        );
        add(
            report,
            row("50 replicas ready, against the raw engine on a network of the same kind"),
            ours.deploy,
            alike.deploy,
            1.3,
        );
        add(
            report,
            row("50 replicas deleted, against Swarm"),
            ours.delete,
            swarm.delete,
            0.4,
        );
        add(
            report,
            row("50 replicas deleted, against the raw engine"),
            ours.delete,
            raw.delete,
            1.3,
        );
    }
}

fn add(report: &mut Report, row: String, ours: f64, peer: f64, aim: f64) {
    report.add(Row {
        bench: "deploy",
        row,
        ours,
        peer,
        unit: "s",
        aim,
    });
}

fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

/// The first container of an engine pays for what the others find warm.
fn warm_up(engine: &Engine) {
    engine.docker_lines(&["run", "--rm", SLEEPER, "/bin/true"]);
}

/// `docker run` on the engine's default bridge, or on a bridge with names and addresses of its own, as pods need.
fn raw_engine(engine: &Engine, network: &str) -> Times {
    let docker = format!("docker -H {}", engine.host());
    let shell = |script: String| {
        let status = Command::new("sh")
            .args(["-c", &script])
            .status()
            .expect("a shell");
        assert!(status.success(), "{script}");
    };
    let deploy = timed(|| {
        shell(format!(
            "seq {REPLICAS} | xargs -P {PARALLEL} -I@ {docker} run -d --network {network} --label bench=raw {SLEEPER} >/dev/null"
        ));
    });
    let delete = timed(|| {
        shell(format!(
            "{docker} ps -q --filter label=bench=raw | xargs -P {PARALLEL} -I@ sh -c '{docker} stop @ && {docker} rm @' >/dev/null"
        ));
    });
    Times { deploy, delete }
}

fn swarm(engine: &Engine) -> Times {
    let replicas = REPLICAS.to_string();
    let deploy = timed(|| {
        engine.docker_lines(&[
            "service",
            "create",
            "--quiet",
            "--name",
            "bench",
            "--replicas",
            &replicas,
            SLEEPER,
        ]);
    });
    let delete = timed(|| {
        engine.docker_lines(&["service", "rm", "bench"]);
        let filter = "label=com.docker.swarm.service.name=bench";
        eventually("Swarm's containers are gone", LIMIT, || {
            engine
                .docker_lines(&["ps", "-aq", "--filter", filter])
                .is_empty()
                .then_some(())
        });
    });
    Times { deploy, delete }
}

fn skep(cluster: &mut Cluster) -> Times {
    let manifest = format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: bench}}
spec:
  replicas: {REPLICAS}
  selector: {{matchLabels: {{app: bench}}}}
  template:
    metadata: {{labels: {{app: bench}}}}
    spec:
      containers:
      - {{name: main, image: '{SLEEPER}', imagePullPolicy: IfNotPresent}}
"
    );
    let deploy = timed(|| {
        cluster.apply(&manifest);
        cluster.ok(&["rollout", "status", "deployment/bench", "--timeout=300s"]);
    });
    let delete = timed(|| {
        cluster.ok(&["delete", "deployment", "bench"]);
        let label = format!("label=skep.io/node={}", cluster.node());
        eventually("skep's containers are gone", LIMIT, || {
            cluster
                .engine
                .docker_lines(&["ps", "-aq", "--filter", &label])
                .is_empty()
                .then_some(())
        });
    });
    Times { deploy, delete }
}
