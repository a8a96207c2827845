//! Tiers, quotas, budgets, priorities and plans with real processes on a real engine.

use std::time::Duration;

use serde_json::Value;
use skep_tests::{Cluster, ControlPlane, Engine, Loopback, SLEEPER, eventually, manifest};

const SOON: Duration = Duration::from_secs(90);

fn available(deployment: &Value) -> i64 {
    deployment["status"]["availableReplicas"].as_i64().unwrap_or(0)
}

/// So many percent of what the node has of CPU, in thousandths.
fn share_of_cpu(cluster: &Cluster, percent: i64) -> String {
    let node = cluster.object(&format!("node/{}", cluster.node()));
    let cpu = node["status"]["allocatable"]["cpu"]
        .as_str()
        .expect("the node says it")
        .to_owned();
    let millis = match cpu.strip_suffix('m') {
        Some(millis) => millis.parse::<i64>(),
        None => cpu.parse::<i64>().map(|cpus| cpus * 1000),
    };
    format!("{}m", millis.expect("an amount") * percent / 100)
}

#[test]
fn pods_of_a_tier_get_what_they_leave_open_and_run_where_it_sends_them() {
    let cluster = Cluster::start();
    let container =
        format!("{{name: main, image: '{SLEEPER}', resources: {{limits: {{cpu: 200m, memory: 64Mi}}}}}}");
    let web = manifest::deployment("web", 2, &container, "").replace(
        "metadata: {labels: {app: web}}",
        "metadata: {labels: {app: web, skep.io/tier: mission-critical}}",
    );
    let applied = cluster.skep_with_input(&["apply", "-f", "-"], &web);
    assert_eq!(applied.code, 0, "{}", applied.stderr);
    assert!(
        applied
            .stderr
            .contains("Warning: tier mission-critical gives the pods"),
        "{}",
        applied.stderr
    );
    assert!(
        applied.stderr.contains("no node is in the pool production-pool"),
        "{}",
        applied.stderr
    );
    eventually("it is said what the pods wait for", SOON, || {
        let told = cluster.ok(&["describe", "pods", "-l", "app=web"]);
        (told.contains("production-pool") && told.contains("a node to run on")).then_some(())
    });
    cluster.ok(&[
        "label",
        "node",
        cluster.node(),
        "skep.io/pool=production-pool",
        "topology.kubernetes.io/zone=here",
    ]);
    eventually("the pods run", SOON, || {
        (available(&cluster.object("deployment/web")) == 2).then_some(())
    });
    let pods = cluster.ok(&["get", "pods", "-l", "app=web", "-o", "json"]);
    let pods: Value = serde_json::from_str(&pods).expect("it is JSON");
    let pod = &pods["items"][0];
    assert_eq!(pod["spec"]["priorityClassName"], "system-cluster-critical");
    assert_eq!(
        pod["spec"]["containers"][0]["resources"]["requests"]["cpu"],
        "100m"
    );
    assert_eq!(
        pod["spec"]["containers"][0]["resources"]["requests"]["memory"],
        "32Mi"
    );
    let budget = eventually("the workload has its budget", SOON, || {
        let budget = cluster.object("pdb/deployment-web");
        (budget["status"]["currentHealthy"] == 2).then_some(budget)
    });
    assert_eq!(budget["status"]["disruptionsAllowed"], 0);
    let node = cluster.ok(&["describe", "node", cluster.node()]);
    assert!(
        node.contains("Allocated by tier:") && node.contains("mission-critical"),
        "{node}"
    );
}

#[test]
fn a_quota_refuses_what_goes_beyond_it_and_takes_nothing_away() {
    let cluster = Cluster::start();
    cluster.apply("apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: small}\nspec: {hard: {pods: 2}}\n");
    cluster.apply(&manifest::sleepers("web", 3));
    let told = eventually("it is said that pods are missing", SOON, || {
        let told = cluster.ok(&["describe", "deployment", "web"]);
        told.contains("ReplicaFailure").then_some(told)
    });
    assert!(
        told.contains("exceeded quota: small") || told.contains("FailedCreate"),
        "{told}"
    );
    let pod = manifest::pod("one", &format!("{{name: main, image: '{SLEEPER}'}}"), "");
    let refused = cluster.skep_with_input(&["create", "-f", "-"], &pod);
    assert_eq!(refused.code, 1);
    assert!(
        refused
            .stderr
            .contains("exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2"),
        "{}",
        refused.stderr
    );
    eventually("two pods run", SOON, || {
        (available(&cluster.object("deployment/web")) == 2).then_some(())
    });
    cluster.ok(&[
        "patch",
        "quota",
        "small",
        "--type=merge",
        "-p",
        r#"{"spec":{"hard":{"pods":"1"}}}"#,
    ]);
    eventually("the quota explains itself", SOON, || {
        let quota = cluster.object("quota/small");
        let message = quota["status"]["conditions"][0]["message"].as_str()?.to_owned();
        message.contains("pods 2 of 1").then_some(())
    });
    assert_eq!(cluster.running_containers().len(), 2);
}

#[test]
fn what_matters_more_takes_the_place_of_what_matters_less() {
    let cluster = Cluster::start();
    let cpu = share_of_cpu(&cluster, 60);
    let pod = |name: &str, class: &str| {
        let container =
            format!("{{name: main, image: '{SLEEPER}', resources: {{requests: {{cpu: {cpu}}}}}}}");
        manifest::pod(name, &container, &format!("priorityClassName: {class}"))
    };
    cluster.apply(&pod("small", "low-priority"));
    let runs = |name: &str| {
        eventually(&format!("{name} runs"), SOON, || {
            (cluster.object(&format!("pod/{name}"))["status"]["phase"] == "Running").then_some(())
        });
    };
    runs("small");
    cluster.apply(&pod("large", "high-priority"));
    runs("large");
    assert!(cluster.object("pod/small").is_null(), "it made room");
    let events = cluster.ok(&["events"]);
    assert!(events.contains("Preempted by pod default/large"), "{events}");
}

#[test]
fn a_plan_is_carried_out_only_while_it_holds() {
    let cluster = Cluster::start();
    let file = cluster.path("web.yaml");
    std::fs::write(&file, manifest::sleepers("web", 2)).expect("a file");
    let path = file.to_str().expect("a path");
    let planned = cluster.ok(&["plan", "-f", path]);
    assert!(planned.contains("+ deployment.apps/web is created"), "{planned}");
    assert!(
        planned.contains(&format!("deployment.apps/web: 2 pods on {}", cluster.node())),
        "{planned}"
    );
    let revision = planned
        .lines()
        .find_map(|line| line.strip_prefix("revision: "))
        .expect("it has a name");
    assert!(cluster.object("deployment/web").is_null(), "nothing is changed");
    cluster.ok(&["cordon", cluster.node()]);
    let stale = cluster.skep(&["apply", "-f", path, "--check-revision", revision]);
    assert_eq!(stale.code, 1);
    assert!(
        stale.stderr.contains("does not hold any more"),
        "{}",
        stale.stderr
    );
    assert!(cluster.object("deployment/web").is_null(), "nothing is changed");
    let waits = cluster.skep(&["plan", "-f", path]);
    assert_eq!(waits.code, 1);
    assert!(
        waits
            .stdout
            .contains("2 pods would wait: 0/1 nodes fit: 1 is cordoned"),
        "{}",
        waits.stdout
    );
    cluster.ok(&["uncordon", cluster.node()]);
    let applied = cluster.ok(&["apply", "-f", path, "--check-revision", revision]);
    assert_eq!(applied, "deployment.apps/web created\n");
}

const NONE_MAY_BE_MISSING: &str = "
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {maxUnavailable: 0, selector: {matchLabels: {app: web}}}
";

#[test]
fn a_node_is_drained_with_replacements_first_and_says_what_blocks_where_there_are_none() {
    let engine = Engine::shared();
    let mut cluster = ControlPlane::on_loopback(1);
    let first = cluster.add_agent(&Loopback, &engine.host(), &[]);
    cluster.apply(&manifest::web("web", 2, ""));
    cluster.apply(NONE_MAY_BE_MISSING);
    let node = cluster.agents[first].name.clone();
    eventually("the web runs and its budget knows", SOON, || {
        (cluster.object("pdb/web")["status"]["currentHealthy"] == 2).then_some(())
    });
    let blocked = cluster.skep(&["drain", &node, "--timeout", "10s"]);
    assert_eq!(blocked.code, 1, "{}", blocked.stdout);
    assert!(
        blocked.stderr.contains("is not drained in time")
            && blocked
                .stderr
                .contains("The disruption budget web needs 2 healthy pods"),
        "{}",
        blocked.stderr
    );
    assert!(
        blocked.stderr.contains("finds no place: 0/1 nodes fit"),
        "{}",
        blocked.stderr
    );
    let second = cluster.add_agent(&Loopback, &engine.host(), &[]);
    let drained = cluster.ok(&["drain", &node, "--timeout", "80s"]);
    assert!(drained.contains(&format!("node/{node} drained")), "{drained}");
    let there = cluster.agents[second].name.clone();
    eventually("both pods run on the other node", SOON, || {
        let pods = cluster.pods("app=web");
        let moved = pods
            .iter()
            .filter(|pod| pod["spec"]["nodeName"] == there.as_str())
            .count();
        (moved == 2 && pods.len() == 2 && available(&cluster.object("deployment/web")) == 2).then_some(())
    });
}
