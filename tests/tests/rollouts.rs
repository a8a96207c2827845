//! Deployments from a manifest to ready, to the next version, and back.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::TcpStream,
    process::Stdio,
    time::{Duration, Instant},
};

use skep_tests::{Cluster, SLEEPER, WEB_V2, eventually, manifest};

const SOON: Duration = Duration::from_secs(90);

/// Addresses of the pods that are ready and not ending.
fn ready_addresses(cluster: &Cluster, app: &str) -> Vec<String> {
    let pods = serde_json::from_str::<serde_json::Value>(&cluster.ok(&[
        "get",
        "pods",
        "-l",
        &format!("app={app}"),
        "-o",
        "json",
    ]));
    let pods = pods.expect("a list in JSON");
    let items = pods["items"].as_array().expect("items").iter();
    items
        .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null())
        .filter(|pod| {
            let conditions = pod["status"]["conditions"].as_array();
            conditions.is_some_and(|all| all.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"))
        })
        .filter_map(|pod| pod["status"]["podIP"].as_str().map(str::to_owned))
        .collect()
}

/// What a web server answers to `GET /version`.
fn version(address: &str) -> Option<String> {
    let target = format!("{address}:8080").parse().ok()?;
    let mut stream = TcpStream::connect_timeout(&target, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    stream.write_all(b"GET /version HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer
        .contains(" 200 OK")
        .then(|| answer.rsplit("\r\n").next().unwrap_or_default().to_owned())
}

#[test]
fn a_rolling_update_never_has_fewer_than_all_replicas_ready() {
    let cluster = Cluster::start();
    let bounds = "strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}";
    cluster.apply(&manifest::web("web", 3, bounds));
    cluster.ok(&["rollout", "status", "deployment/web", "--timeout=90s"]);
    cluster.ok(&["set", "image", "deployment/web", &format!("main={WEB_V2}")]);
    let mut status = cluster
        .command(&["rollout", "status", "deployment/web", "--timeout=120s"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("skep is built");
    let mut seen = BTreeSet::new();
    let start = Instant::now();
    while status.try_wait().expect("it runs").is_none() {
        assert!(
            start.elapsed() < Duration::from_secs(150),
            "the rollout does not end"
        );
        let addresses = ready_addresses(&cluster, "web");
        assert!(addresses.len() >= 3, "only {addresses:?} are ready");
        let answered: Vec<String> = addresses.iter().filter_map(|address| version(address)).collect();
        assert!(answered.len() >= 2, "of {addresses:?} only {answered:?} answered");
        seen.extend(answered);
    }
    assert!(status.wait().expect("its end").success());
    let last: BTreeSet<_> = ready_addresses(&cluster, "web")
        .iter()
        .filter_map(|address| version(address))
        .collect();
    assert_eq!(last, BTreeSet::from(["v2".to_owned()]), "before: {seen:?}");
    let history = cluster.ok(&["rollout", "history", "deployment/web"]);
    assert!(history.contains("REVISION") && history.contains('2'), "{history}");
    cluster.ok(&["rollout", "undo", "deployment/web"]);
    cluster.ok(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    let back: BTreeSet<_> = ready_addresses(&cluster, "web")
        .iter()
        .filter_map(|address| version(address))
        .collect();
    assert_eq!(back, BTreeSet::from(["v1".to_owned()]));
}

#[test]
fn a_rollout_whose_probe_never_passes_stops_at_its_deadline_and_says_why() {
    let cluster = Cluster::start();
    let container = format!(
        "{{name: main, image: '{SLEEPER}', readinessProbe: {{exec: {{command: [cat, /nothing]}}, periodSeconds: 1}}}}"
    );
    cluster.apply(&manifest::deployment(
        "stuck",
        1,
        &container,
        "progressDeadlineSeconds: 6",
    ));
    let outcome = cluster.skep(&["rollout", "status", "deployment/stuck", "--timeout=60s"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(
        outcome.stderr.contains("exceeded its progress deadline"),
        "{outcome:?}"
    );
    let described = cluster.ok(&["describe", "deployment", "stuck"]);
    assert!(described.contains("ProgressDeadlineExceeded"), "{described}");
    let pods = cluster.ok(&["describe", "pods", "-l", "app=stuck"]);
    assert!(pods.contains("Readiness probe failed"), "{pods}");
}

#[test]
fn scaling_pausing_and_restarting_do_what_they_say() {
    let cluster = Cluster::start();
    cluster.apply(&manifest::sleepers("web", 1));
    cluster.ok(&["rollout", "status", "deployment/web", "--timeout=60s"]);
    cluster.ok(&["scale", "deployment/web", "--replicas=4"]);
    cluster.ok(&[
        "wait",
        "--for=jsonpath={.status.readyReplicas}=4",
        "deployment/web",
        "--timeout=60s",
    ]);
    assert_eq!(cluster.running_containers().len(), 4);
    cluster.ok(&["rollout", "pause", "deployment/web"]);
    let before = cluster.running_containers();
    let refused = cluster.skep(&["rollout", "restart", "deployment/web"]);
    assert!(
        refused.code == 1 && refused.stderr.contains("paused"),
        "{refused:?}"
    );
    assert_eq!(cluster.running_containers(), before);
    cluster.ok(&["rollout", "resume", "deployment/web"]);
    cluster.ok(&["rollout", "restart", "deployment/web"]);
    cluster.ok(&["rollout", "status", "deployment/web", "--timeout=90s"]);
    // A rollout is done once the new pods are ready; the last of the old ones may still be ending.
    eventually("no container is left of before", SOON, || {
        let after = cluster.running_containers();
        let is_new = |container: &String| !before.contains(container);
        (after.len() == 4 && after.iter().all(is_new)).then_some(())
    });
    cluster.ok(&[
        "delete",
        "deployment",
        "web",
        "--cascade=foreground",
        "--timeout=60s",
    ]);
    assert_eq!(cluster.ok(&["get", "all", "-o", "name"]), "");
}

#[test]
fn deleting_a_namespace_takes_all_that_is_in_it() {
    let cluster = Cluster::start();
    cluster.ok(&["create", "namespace", "team"]);
    let outcome = cluster.skep_with_input(&["apply", "-n", "team", "-f", "-"], &manifest::sleepers("web", 2));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    cluster.ok(&[
        "-n",
        "team",
        "rollout",
        "status",
        "deployment/web",
        "--timeout=60s",
    ]);
    cluster.ok(&["delete", "namespace", "team", "--timeout=90s"]);
    assert_eq!(
        cluster.ok(&["get", "pods,deployments,replicasets", "-A", "-o", "name"]),
        ""
    );
    eventually("no container is left", SOON, || {
        cluster.running_containers().is_empty().then_some(())
    });
}
