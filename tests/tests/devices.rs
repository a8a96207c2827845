//! What a node gives by the piece, and what it does when it runs short, on a real engine.

use std::{path::Path, time::Duration};

use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use serde_json::Value;
use skep_tests::{Cluster, SLEEPER, eventually, manifest};

const SOON: Duration = Duration::from_secs(60);

/// A device file that reads like `/dev/null` (minor 3) or `/dev/zero` (minor 5).
fn device(path: &Path, minor: u64) -> String {
    mknod(
        path,
        SFlag::S_IFCHR,
        Mode::from_bits_truncate(0o666),
        makedev(1, minor),
    )
    .expect("tests run as root");
    path.display().to_string()
}

fn asking(amounts: &str) -> String {
    format!("{{name: main, image: '{SLEEPER}', resources: {{limits: {{{amounts}}}}}}}")
}

fn ready(cluster: &Cluster, pod: &str) {
    cluster.ok(&[
        "wait",
        "--for=condition=Ready",
        &format!("pod/{pod}"),
        "--timeout=60s",
    ]);
}

fn phase(cluster: &Cluster, pod: &str) -> String {
    let object = cluster.object(&format!("pod/{pod}"));
    object["status"]["phase"].as_str().unwrap_or_default().to_owned()
}

/// The ids that a pod's container was given of a resource.
fn given(cluster: &Cluster, pod: &str, resource: &str) -> Vec<String> {
    let object = cluster.object(&format!("pod/{pod}"));
    let all = object["status"]["containerStatuses"][0]["allocatedResourcesStatus"].clone();
    let found = all
        .as_array()
        .into_iter()
        .flatten()
        .find(|one| one["name"] == resource)
        .cloned();
    let ids = found.unwrap_or(Value::Null)["resources"].clone();
    let ids = ids.as_array().into_iter().flatten();
    ids.filter_map(|one| one["resourceID"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn a_container_sees_its_own_device_and_no_other_and_nothing_is_given_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let null = device(&folder.path().join("null"), 3);
    let zero = device(&folder.path().join("zero"), 5);
    let declared = format!("example.com/dev={null},{zero}");
    let mut cluster = Cluster::start_with(&["--device", &declared]);
    for pod in ["a", "b"] {
        cluster.apply(&manifest::pod(pod, &asking("example.com/dev: 1"), ""));
        ready(&cluster, pod);
    }
    let mut all = [
        given(&cluster, "a", "example.com/dev"),
        given(&cluster, "b", "example.com/dev"),
    ]
    .concat();
    all.sort();
    assert_eq!(all, [null.clone(), zero.clone()]);
    for pod in ["a", "b"] {
        let own = given(&cluster, pod, "example.com/dev").remove(0);
        let other = if own == null { &zero } else { &null };
        let look =
            format!("stat -c %F {own}; test ! -e {other} && echo alone; echo $SKEP_DEVICE_EXAMPLE_COM_DEV");
        let seen = cluster.ok(&["exec", pod, "--", "sh", "-c", &look]);
        assert_eq!(seen, format!("character special file\nalone\n{own}\n"), "{pod}");
        let read = format!("dd if={own} of=/tmp/read bs=4 count=1 2>/dev/null; stat -c %s /tmp/read");
        let bytes = if own == null { "0\n" } else { "4\n" };
        assert_eq!(
            cluster.ok(&["exec", pod, "--", "sh", "-c", &read]),
            bytes,
            "{pod}"
        );
        assert!(cluster.ok(&["describe", "pod", pod]).contains(&own));
    }
    cluster.apply(&manifest::pod("c", &asking("example.com/dev: 1"), ""));
    eventually("c hears why it waits", SOON, || {
        let described = cluster.ok(&["describe", "pod", "c"]);
        described.contains("example.com/dev").then_some(())?;
        described.contains("FailedScheduling").then_some(())
    });

    let running = cluster.running_containers();
    cluster.kill();
    cluster.up();
    cluster.wait_for_node();
    assert_eq!(cluster.running_containers(), running, "a restart touches nothing");
    let freed = given(&cluster, "a", "example.com/dev");
    cluster.ok(&["delete", "pod", "a", "--grace-period=1"]);
    ready(&cluster, "c");
    assert_eq!(given(&cluster, "c", "example.com/dev"), freed);
    let described = cluster.ok(&["describe", "node", cluster.node()]);
    assert!(described.contains("example.com/dev"), "{described}");
}

#[test]
fn a_device_that_vanishes_is_not_to_be_asked_for_and_the_node_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("null");
    let declared = format!("example.com/dev={}", path.display());
    let cluster = Cluster::start_with(&["--device", &declared]);
    let node = format!("node/{}", cluster.node());
    let sizes = || {
        let status = cluster.object(&node)["status"].clone();
        let of = |list: &str| {
            status[list]["example.com/dev"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        (of("capacity"), of("allocatable"))
    };
    assert_eq!(sizes(), ("1".to_owned(), "0".to_owned()));
    let events = eventually("it is told", SOON, || {
        let events = cluster.ok(&["events", "--for", &node]);
        events.contains("DeviceMissing").then_some(events)
    });
    assert!(events.contains(&path.display().to_string()), "{events}");
    device(&path, 3);
    eventually("it is there", SOON, || {
        (sizes() == ("1".to_owned(), "1".to_owned())).then_some(())
    });
}

#[test]
fn gpus_that_the_engine_cannot_bring_in_fail_with_what_to_do() {
    let cluster = Cluster::start_with(&["--gpu", "GPU-fake", "--gpu-shares", "2"]);
    let node = cluster.object(&format!("node/{}", cluster.node()));
    assert_eq!(node["status"]["allocatable"]["nvidia.com/gpu"], "2");
    assert_eq!(node["metadata"]["labels"]["nvidia.com/gpu.replicas"], "2");
    cluster.apply(&manifest::pod("train", &asking("nvidia.com/gpu: 1"), ""));
    eventually("the pod says why", SOON, || {
        let described = cluster.ok(&["describe", "pod", "train"]);
        described.contains("NVIDIA container toolkit").then_some(())
    });
    assert_eq!(given(&cluster, "train", "nvidia.com/gpu"), ["GPU-fake::0"]);
}

fn cpus(cluster: &Cluster, pod: &str) -> String {
    let look = [
        "exec",
        pod,
        "--",
        "grep",
        "Cpus_allowed_list",
        "/proc/self/status",
    ];
    let outcome = cluster.skep(&look);
    outcome
        .stdout
        .split_whitespace()
        .last()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn a_guaranteed_pod_has_whole_cpus_to_itself_and_the_others_leave_them() {
    let all = std::fs::read_to_string("/sys/devices/system/cpu/online").expect("the machine's CPUs");
    let all = all.trim();
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    assert!(count >= 2, "this needs a machine of two CPUs");
    let mut cluster = Cluster::start_with(&["--cpu-manager", "static", "--reserved-cpus", "0"]);
    let node = cluster.object(&format!("node/{}", cluster.node()));
    assert_eq!(node["status"]["allocatable"]["cpu"], (count - 1).to_string());
    cluster.apply(&manifest::pod(
        "shared",
        &format!("{{name: main, image: '{SLEEPER}'}}"),
        "",
    ));
    ready(&cluster, "shared");
    assert_eq!(cpus(&cluster, "shared"), all);
    cluster.apply(&manifest::pod("own", &asking("cpu: 1, memory: 32Mi"), ""));
    ready(&cluster, "own");
    let own = cpus(&cluster, "own");
    assert!(
        own.parse::<u32>().is_ok_and(|cpu| cpu > 0),
        "one CPU, and not the reserved one: {own}"
    );
    assert_eq!(given(&cluster, "own", "cpu"), std::slice::from_ref(&own));
    eventually("the other one has left it", SOON, || {
        let others = cpus(&cluster, "shared");
        (others != all && !others.contains(&own)).then_some(())
    });

    cluster.kill();
    cluster.up();
    cluster.wait_for_node();
    let after = eventually("it can be asked again", SOON, || {
        Some(cpus(&cluster, "own")).filter(|cpus| !cpus.is_empty())
    });
    assert_eq!(after, own, "a restart touches nothing");
    cluster.ok(&["delete", "pod", "own", "--grace-period=1"]);
    eventually("all are shared again", SOON, || {
        (cpus(&cluster, "shared") == all).then_some(())
    });
}

#[test]
fn under_memory_pressure_the_pod_goes_that_uses_more_than_it_asked_for() {
    let mut cluster = Cluster::start();
    let fill = r#"["sh", "-c", "dd if=/dev/zero of=/mem/fill bs=1M count=40; trap 'exit 0' TERM; while :; do sleep 1; done"]"#;
    let hog = format!(
        "{{name: main, image: '{SLEEPER}', command: {fill}, resources: {{requests: {{memory: 4Mi}}}}, \
         volumeMounts: [{{name: mem, mountPath: /mem}}]}}"
    );
    cluster.apply(&manifest::pod(
        "hog",
        &hog,
        "volumes: [{name: mem, emptyDir: {medium: Memory}}]",
    ));
    let modest = format!("{{name: main, image: '{SLEEPER}', resources: {{requests: {{memory: 64Mi}}}}}}");
    cluster.apply(&manifest::pod("modest", &modest, ""));
    ready(&cluster, "hog");
    ready(&cluster, "modest");
    eventually("it is filled", SOON, || {
        let size = cluster.skep(&["exec", "hog", "--", "stat", "-c", "%s", "/mem/fill"]);
        (size.stdout.trim() == "41943040").then_some(())
    });
    cluster.kill();
    // No machine has all of its memory free.
    cluster.set_args(&["--eviction-hard", "memory.available<100%"]);
    cluster.up();
    let hog = eventually("it is evicted", SOON, || {
        let hog = cluster.object("pod/hog");
        (hog["status"]["phase"] == "Failed").then_some(hog)
    });
    assert_eq!(phase(&cluster, "modest"), "Running", "one at a time");
    assert_eq!(hog["status"]["reason"], "Evicted");
    let message = hog["status"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(
        message.contains("The node was low on resource: memory.")
            && message.contains("Container main was using 4")
            && message.contains("request is 4Mi"),
        "{message}"
    );
    let node = format!("node/{}", cluster.node());
    cluster.ok(&["wait", "--for=condition=MemoryPressure", &node, "--timeout=30s"]);
    let taints = eventually("nothing new comes", SOON, || {
        let taints = cluster.object(&node)["spec"]["taints"].to_string();
        taints.contains("memory-pressure").then_some(taints)
    });
    assert!(taints.contains("NoSchedule"), "{taints}");
    assert!(
        cluster
            .ok(&["events", "--for", &node])
            .contains("EvictionThresholdMet")
    );
}

#[test]
fn what_a_node_says_of_itself_is_on_the_node() {
    let cluster = Cluster::start_with(&[
        "--pool",
        "edge",
        "--zone",
        "a",
        "--label",
        "disk=fast",
        "--system-reserved",
        "cpu=500m,memory=1Gi",
    ]);
    let node = cluster.object(&format!("node/{}", cluster.node()));
    let labels = &node["metadata"]["labels"];
    assert_eq!(labels["skep.io/pool"], "edge");
    assert_eq!(labels["topology.kubernetes.io/zone"], "a");
    assert_eq!(labels["disk"], "fast");
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let millis = count * 1000 - 500;
    assert_eq!(node["status"]["allocatable"]["cpu"], format!("{millis}m"));
    let images = node["status"]["images"].as_array().cloned().unwrap_or_default();
    let named = |image: &Value| {
        image["names"]
            .as_array()
            .is_some_and(|names| names.iter().any(|name| name == SLEEPER))
    };
    assert!(
        images
            .iter()
            .any(|image| named(image) && image["sizeBytes"].as_i64() > Some(0)),
        "{images:?}"
    );
}
