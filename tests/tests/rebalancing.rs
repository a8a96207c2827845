//! Rebalancing with real engines: a machine that joins takes pods over from one that is overfull, and nobody misses one meanwhile.

use std::time::{Duration, Instant};

use serde_json::Value;
use skep_tests::{ControlPlane, Lan, Machine, eventually, manifest};

const SOON: Duration = Duration::from_secs(180);

/// Pods are settled after a minute, a leader looks a minute after it is asked, and moves take a few seconds each.
const MOVED_WITHIN: Duration = Duration::from_secs(300);

const PODS: usize = 4;

/// A deployment whose pods take a fifth of a node's CPU each and 24 MiB; `volumes` adds lines to their spec.
fn fifths(name: &str, replicas: usize, cpu: i64, volumes: &str) -> String {
    let web = manifest::web(name, u32::try_from(replicas).expect("few"), "");
    let asks = format!("resources: {{requests: {{cpu: {cpu}m, memory: 24Mi}}}}, readinessProbe:");
    let web = web.replace("readinessProbe:", &asks);
    let volumes: String = volumes.lines().map(|line| format!("      {line}\n")).collect();
    web.replace("      containers:\n", &format!("{volumes}      containers:\n"))
}

/// Thousandths of a CPU that the node has for pods.
fn cpu_of(cluster: &ControlPlane, node: &str) -> i64 {
    let node = cluster.object(&format!("node/{node}"));
    let cpu = node["status"]["allocatable"]["cpu"]
        .as_str()
        .expect("it says so")
        .to_owned();
    let millis = cpu.strip_suffix('m').map(str::parse::<i64>);
    let millis = millis.unwrap_or_else(|| cpu.parse::<i64>().map(|cpus| cpus * 1000));
    millis.expect("an amount")
}

fn available(cluster: &ControlPlane, name: &str) -> usize {
    let status = cluster.object(&format!("deployment/{name}"));
    usize::try_from(status["status"]["availableReplicas"].as_u64().unwrap_or(0)).expect("few")
}

fn ready_on(cluster: &ControlPlane, selector: &str, node: &str) -> usize {
    let ready = |pod: &&Value| {
        let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
        let is_ready = |one: &Value| one["type"] == "Ready" && one["status"] == "True";
        pod["spec"]["nodeName"] == *node && conditions.into_iter().any(is_ready)
    };
    cluster.pods(selector).iter().filter(ready).count()
}

fn containers_of(machine: &Machine) -> usize {
    let list = ["ps", "--filter", "label=skep.io/node", "--format", "{{.ID}}"];
    machine.engine.docker_lines(&list).len()
}

#[test]
fn pods_move_from_an_overfull_machine_to_one_that_joins_and_their_service_never_has_one_less() {
    let lan = Lan::new();
    let machines: Vec<Machine> = (0..2).map(|index| lan.machine(50 + index)).collect();
    let mut cluster = ControlPlane::in_lan(&lan);
    cluster.add_server(&machines[0], &[]);
    let old = cluster.add_agent(&machines[0], &machines[0].engine.host(), &[]);
    let old = cluster.agents[old].name.clone();
    let fifth = cpu_of(&cluster, &old) / 5;
    cluster.apply(&fifths("web", PODS, fifth, ""));
    let scratch = "volumes: [{name: scratch, emptyDir: {}}]";
    cluster.apply(&fifths("scratch", 1, fifth / 2, scratch));
    eventually("all run on the one machine", SOON, || {
        (available(&cluster, "web") == PODS && available(&cluster, "scratch") == 1).then_some(())
    });
    cluster.ok(&["annotate", "namespace", "default", "skep.io/rebalance=true"]);
    let new = cluster.add_agent(&machines[1], &machines[1].engine.host(), &[]);
    let new = cluster.agents[new].name.clone();

    let began = Instant::now();
    let mut fewest = PODS;
    let moved = || {
        fewest = fewest.min(available(&cluster, "web"));
        let (there, here) = (
            ready_on(&cluster, "app=web", &new),
            ready_on(&cluster, "app=web", &old),
        );
        (there == 2 && here == 2 && cluster.pods("app=web").len() == PODS).then_some(())
    };
    eventually("half of the pods have moved", MOVED_WITHIN, moved);
    eprintln!("two pods moved within {} s", began.elapsed().as_secs());
    assert_eq!(fewest, PODS, "there were always as many as wanted");
    eventually("the engines run what the pods say", SOON, || {
        (containers_of(&machines[0]) == 3 && containers_of(&machines[1]) == 2).then_some(())
    });

    let told = cluster.ok(&["events", "--for", "deployment/web"]);
    let of = |reason: &str| {
        told.lines()
            .filter(|line| line.split_whitespace().any(|word| word == reason))
            .count()
    };
    assert_eq!((of("Rebalancing"), of("Rebalanced")), (2, 2), "{told}");
    assert!(
        told.contains(&format!("{old} uses")) && told.contains(&format!("serves on {new}")),
        "{told}"
    );
    // What would lose its data stays, and the plan says so; and no move is taken back.
    assert_eq!(ready_on(&cluster, "app=scratch", &old), 1);
    let plan = cluster.ok(&["plan", "--rebalance"]);
    assert!(
        plan.contains("No pod would be better off elsewhere") || plan.contains("emptyDir"),
        "{plan}"
    );
}
