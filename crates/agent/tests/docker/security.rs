//! What processes may do.

use std::collections::BTreeMap;

use skep_agent::runtime::{ContainerSpec, NetworkMode};

use crate::engine::Engine;

const ALL_DROPPED: &str = "0000000000000000";

#[tokio::test]
async fn dropped_rights_are_gone_and_added_ones_are_there() {
    let engine = Engine::new().await;
    let spec = ContainerSpec {
        cap_drop: vec!["ALL".to_owned()],
        ..engine.script("grep CapEff /proc/self/status")
    };
    assert_eq!(engine.output_of(&spec).await, format!("CapEff:\t{ALL_DROPPED}\n"));
    let spec = ContainerSpec {
        cap_drop: vec!["ALL".to_owned()],
        cap_add: vec!["NET_BIND_SERVICE".to_owned()],
        ..engine.script("grep CapEff /proc/self/status")
    };
    assert_eq!(engine.output_of(&spec).await, "CapEff:\t0000000000000400\n");
}

#[tokio::test]
async fn a_read_only_root_cannot_be_written() {
    let engine = Engine::new().await;
    let spec = ContainerSpec {
        read_only_root: true,
        ..engine.script("echo x > /file")
    };
    assert_eq!(
        engine.output_of(&spec).await,
        "sh: can't create /file: Read-only file system\n"
    );
}

#[tokio::test]
async fn processes_that_may_not_gain_rights_are_marked_so() {
    let engine = Engine::new().await;
    let script = "grep NoNewPrivs /proc/self/status";
    let spec = ContainerSpec {
        security_opt: vec!["no-new-privileges".to_owned()],
        ..engine.script(script)
    };
    assert_eq!(engine.output_of(&spec).await, "NoNewPrivs:\t1\n");
    assert_eq!(engine.output_of(&engine.script(script)).await, "NoNewPrivs:\t0\n");
}

#[tokio::test]
async fn a_seccomp_profile_is_taken_as_text() {
    let engine = Engine::new().await;
    let profile = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}"#;
    let spec = ContainerSpec {
        security_opt: vec![format!("seccomp={profile}")],
        ..engine.script("mkdir /d")
    };
    assert_eq!(
        engine.output_of(&spec).await,
        "mkdir: can't create directory '/d': Operation not permitted\n"
    );
    let spec = ContainerSpec {
        security_opt: vec!["seccomp=unconfined".to_owned()],
        ..engine.script("mkdir /d; grep Seccomp: /proc/self/status")
    };
    assert_eq!(engine.output_of(&spec).await, "Seccomp:\t0\n");
}

#[tokio::test]
async fn user_and_groups_are_the_ones_asked_for() {
    let engine = Engine::new().await;
    let spec = ContainerSpec {
        user: "1234:2345".to_owned(),
        groups: vec![3000, 4000],
        ..engine.script("id -u; id -g; id -G")
    };
    assert_eq!(engine.output_of(&spec).await, "1234\n2345\n2345 3000 4000\n");
}

#[tokio::test]
async fn kernel_settings_reach_the_network_namespace() {
    let engine = Engine::new().await;
    let sysctls = BTreeMap::from([("net.ipv4.ip_unprivileged_port_start".to_owned(), "80".to_owned())]);
    let script = "cat /proc/sys/net/ipv4/ip_unprivileged_port_start";
    let spec = ContainerSpec {
        sysctls,
        network: NetworkMode::None,
        ..engine.script(script)
    };
    assert_eq!(engine.output_of(&spec).await, "80\n");
}
