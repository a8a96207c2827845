//! Crashes and outages: nothing acknowledged is lost, no container is doubled or restarted needlessly.

use std::{fs, process::Command, time::Duration};

use skep_tests::{Cluster, Engine, WEB_V2, eventually, manifest};

const SOON: Duration = Duration::from_secs(90);

#[test]
fn killed_and_started_again_it_finds_its_containers_and_touches_none() {
    let mut cluster = Cluster::start();
    cluster.apply(&manifest::sleepers("web", 3));
    cluster.ok(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    let (before, pods) = (
        cluster.running_containers(),
        cluster.ok(&["get", "pods", "-o", "name"]),
    );
    cluster.kill();
    cluster.up();
    cluster.wait_for_node();
    cluster.ok(&[
        "wait",
        "--for=jsonpath={.status.readyReplicas}=3",
        "deployment/web",
        "--timeout=60s",
    ]);
    assert_eq!(cluster.ok(&["get", "pods", "-o", "name"]), pods);
    cluster.apply(&manifest::sleepers("web", 4));
    cluster.ok(&[
        "wait",
        "--for=jsonpath={.status.readyReplicas}=4",
        "deployment/web",
        "--timeout=60s",
    ]);
    let after = cluster.running_containers();
    assert_eq!(after.len(), 4);
    assert!(
        before.iter().all(|container| after.contains(container)),
        "{before:?} {after:?}"
    );
}

#[test]
fn killed_in_the_middle_of_a_rollout_it_finishes_it() {
    let mut cluster = Cluster::start();
    cluster.apply(&manifest::web("web", 4, ""));
    cluster.ok(&["rollout", "status", "deployment/web", "--timeout=90s"]);
    cluster.ok(&["set", "image", "deployment/web", &format!("main={WEB_V2}")]);
    for _ in 0..3 {
        let generation = cluster.object("deployment/web")["status"]["updatedReplicas"].clone();
        cluster.kill();
        cluster.up();
        cluster.wait_for_node();
        assert!(
            !cluster.object("deployment/web").is_null(),
            "lost after {generation}"
        );
    }
    cluster.ok(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    eventually("only the new pods' containers are left", SOON, || {
        (cluster.running_containers().len() == 4).then_some(())
    });
}

#[test]
fn an_engine_that_stops_and_comes_back_gets_its_pods_back() {
    let mut cluster = Cluster::start_on(Engine::own("stop", 32));
    cluster.apply(&manifest::sleepers("web", 2));
    cluster.ok(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    let pods = cluster.ok(&["get", "pods", "-o", "name"]);
    cluster.engine.stop();
    let node = format!("node/{}", cluster.node());
    cluster.ok(&["wait", "--for=condition=Ready=False", &node, "--timeout=60s"]);
    assert!(cluster.ok(&["describe", &node]).contains("engine"));
    cluster.engine.start();
    cluster.ok(&["wait", "--for=condition=Ready", &node, "--timeout=60s"]);
    cluster.ok(&[
        "wait",
        "--for=jsonpath={.status.readyReplicas}=2",
        "deployment/web",
        "--timeout=90s",
    ]);
    eventually("two containers run again", SOON, || {
        (cluster.running_containers().len() == 2).then_some(())
    });
    assert_eq!(cluster.ok(&["get", "pods", "-o", "name"]), pods);
}

#[test]
fn a_full_disk_is_named_and_nothing_acknowledged_is_lost() {
    let mut cluster = Cluster::prepare(Engine::shared());
    let data = cluster.path("data");
    fs::create_dir(&data).expect("a data folder");
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"])
        .arg(&data)
        .status();
    assert!(mount.expect("mount is installed").success());
    cluster.up();
    cluster.wait_for_node();
    let text = "x".repeat(512 * 1024);
    let mut written = Vec::new();
    let refusal = (0..400).find_map(|number| {
        let name = format!("filler-{number}");
        let map =
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{text: {text}}}\n");
        let outcome = cluster.skep_with_input(&["create", "-f", "-"], &map);
        if outcome.code == 0 {
            written.push(name);
            return None;
        }
        Some(outcome.stderr)
    });
    let said = refusal.expect("the disk fills up");
    assert!(said.contains("free some space"), "{said}");
    assert!(!cluster.ok(&["get", "namespaces"]).is_empty(), "reads go on");
    let grow = Command::new("mount")
        .args(["-o", "remount,size=256m"])
        .arg(&data)
        .status();
    assert!(grow.expect("mount is installed").success());
    eventually("writes go on once there is space", SOON, || {
        (cluster.skep(&["create", "namespace", "after"]).code == 0).then_some(())
    });
    cluster.kill();
    cluster.up();
    cluster.wait_for_node();
    let kept = cluster.ok(&["get", "configmaps", "-o", "name"]);
    let lost: Vec<_> = written
        .iter()
        .filter(|name| !kept.lines().any(|line| line.ends_with(*name)))
        .collect();
    assert!(
        lost.is_empty() && !written.is_empty(),
        "acknowledged, but gone: {lost:?}"
    );
}
