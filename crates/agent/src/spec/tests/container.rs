//! One container in full.

use expect_test::expect;
use serde_json::json;

use super::{UID, build, first, pod_of};
use crate::spec::{ContainerKind, ContainerLabels, Inputs, container_hash, needs_holder};

#[test]
fn a_plain_container_is_described_in_full() {
    let pod =
        pod_of(json!({ "resources": { "requests": { "cpu": "500m" }, "limits": { "memory": "64Mi" } } }));
    expect![[r#"
        ContainerSpec {
            name: "skep_web_web_shop_0f3b8c1e_2",
            labels: {
                "skep.io/attempt": "2",
                "skep.io/cluster": "c1",
                "skep.io/container-kind": "app",
                "skep.io/container-name": "web",
                "skep.io/node": "node-1",
                "skep.io/pod-address": "10.244.0.9",
                "skep.io/pod-name": "web",
                "skep.io/pod-namespace": "shop",
                "skep.io/pod-uid": "0f3b8c1e-0000-4000-8000-000000000001",
                "skep.io/spec-hash": "HASH",
                "skep.io/termination-grace-seconds": "30",
            },
            image: "web:v1",
            entrypoint: [],
            command: [],
            env: [],
            working_dir: "",
            user: "",
            groups: [],
            hostname: "web",
            network: Bridge {
                network: "skep",
                address: 10.244.0.9,
            },
            ports: [],
            dns: (
                [],
                [],
                [],
            ),
            extra_hosts: [],
            mounts: [],
            devices: [],
            gpus: [],
            cpus: "",
            cap_add: [],
            cap_drop: [],
            privileged: false,
            read_only_root: false,
            security_opt: [],
            sysctls: {},
            pid_mode: "",
            ipc_mode: "",
            cpu_shares: 512,
            cpu_limit_millis: 0,
            memory_limit_bytes: 67108864,
            oom_score_adj: 993,
            stdin: false,
            stdin_once: false,
            tty: false,
            log_bytes_max: 1048576,
        }"#]]
    .assert_eq(
        &format!("{:#?}", first(&pod).expect("a spec"))
            .replace(&container_hash(&pod.spec.containers[0]), "HASH"),
    );
}

#[test]
fn command_and_arguments_use_the_containers_variables() {
    let pod = pod_of(json!({
        "command": ["/bin/$(PROGRAM)"], "args": ["--name=$(NAME)", "$(OTHER)", "$$(NAME)"], "workingDir": "/srv",
    }));
    let env =
        [("PROGRAM", "serve"), ("NAME", "web")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let spec = build(&pod, |inputs| Inputs { env: &env, ..inputs });
    let spec = spec.expect("a spec");
    assert_eq!(spec.entrypoint, ["/bin/serve"]);
    assert_eq!(spec.command, ["--name=web", "$(OTHER)", "$(NAME)"]);
    assert_eq!(spec.env, ["PROGRAM=serve", "NAME=web"]);
    assert_eq!(spec.working_dir, "/srv");
}

#[test]
fn labels_are_read_back_as_they_were_written() {
    let spec = build(&pod_of(json!({})), |inputs| Inputs {
        kind: ContainerKind::Init,
        ..inputs
    });
    let labels = ContainerLabels::parse(&spec.expect("a spec").labels).expect("they are a pod's");
    assert_eq!(
        (
            labels.pod_uid.as_str(),
            labels.pod_name.as_str(),
            labels.pod_namespace.as_str()
        ),
        (UID, "web", "shop")
    );
    assert_eq!(
        (labels.container_name.as_str(), labels.kind, labels.attempt),
        ("web", ContainerKind::Init, 2)
    );
    assert_eq!(
        (labels.pod_address, labels.grace_seconds),
        (Some([10, 244, 0, 9].into()), 30)
    );
}

#[test]
fn labels_of_other_containers_are_nobodys() {
    assert_eq!(
        ContainerLabels::parse(&[("app".to_owned(), "web".to_owned())].into()),
        None
    );
}

#[test]
fn the_hash_changes_with_the_description_and_only_with_it() {
    let hash = |fields| container_hash(&pod_of(fields).spec.containers[0]);
    assert_eq!(hash(json!({ "args": ["a"] })), hash(json!({ "args": ["a"] })));
    assert_ne!(hash(json!({ "args": ["a"] })), hash(json!({ "args": ["b"] })));
    assert_eq!(hash(json!({})).len(), 16);
}

#[test]
fn only_pods_of_several_containers_have_a_holder() {
    let mut pod = pod_of(json!({}));
    pod.spec.init_containers = pod.spec.containers.clone();
    assert!(
        !needs_holder(&pod),
        "init containers run before the container, at the same address"
    );
    let again = pod.spec.containers[0].clone();
    pod.spec.containers.push(again);
    assert!(needs_holder(&pod));
}
