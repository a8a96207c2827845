use expect_test::{Expect, expect};
use skep_api::{
    ConditionStatus, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
    ContainerStatus, EventSource, EventType, ObjectMeta, ObjectReference, Pod, PodPhase,
};
use skep_testkit::{at, config_map, deployment, namespace, node, pod, replica_set, secret, start};

use super::*;

/// Columns and cells, one a line; wide ones are starred.
fn check(object: impl Into<Object>, expected: &Expect) {
    let object = object.into();
    let columns = columns(object.kind());
    let cells = row(&object, at(600));
    assert_eq!(columns.len(), cells.len(), "a cell for each column");
    let lines: Vec<_> = columns
        .iter()
        .zip(cells)
        .map(|(column, cell)| {
            format!(
                "{}{}: {cell}",
                column.name,
                if column.priority > 0 { "*" } else { "" }
            )
        })
        .collect();
    expected.assert_eq(&lines.join("\n"));
}

/// READY, STATUS and RESTARTS.
fn check_pod(pod: &Pod, expected: &str) {
    let cells = row(&pod.clone().into(), at(600));
    assert_eq!(cells[1..4].join(" "), expected);
}

fn waiting(reason: &str) -> ContainerState {
    let waiting = ContainerStateWaiting {
        reason: reason.into(),
        message: String::new(),
    };
    ContainerState {
        waiting: Some(waiting),
        ..ContainerState::default()
    }
}

fn running() -> ContainerState {
    ContainerState {
        running: Some(ContainerStateRunning {
            started_at: Some(start()),
        }),
        ..ContainerState::default()
    }
}

fn ended(exit_code: i32, reason: &str) -> ContainerState {
    let finished_at = Some(at(480));
    let ended = ContainerStateTerminated {
        exit_code,
        reason: reason.into(),
        finished_at,
        ..ContainerStateTerminated::default()
    };
    ContainerState {
        terminated: Some(Box::new(ended)),
        ..ContainerState::default()
    }
}

fn status(name: &str, state: ContainerState, ready: bool) -> ContainerStatus {
    ContainerStatus {
        name: name.into(),
        state,
        ready,
        ..ContainerStatus::default()
    }
}

#[test]
fn rows_have_kubectls_columns() {
    check(
        namespace("shop"),
        &expect![[r#"
        NAME: shop
        STATUS: Active
        AGE: 10m"#]],
    );
    check(
        config_map("web").data("a", "1").data("b", "2"),
        &expect![[r#"
        NAME: web
        DATA: 2
        AGE: 10m"#]],
    );
    check(
        secret("web").data("password", "aHVudGVyMg=="),
        &expect![[r#"
        NAME: web
        TYPE: Opaque
        DATA: 1
        AGE: 10m"#]],
    );
    check(
        node("a")
            .cordoned()
            .label("node-role.kubernetes.io/control-plane", ""),
        &expect![[r#"
        NAME: a
        STATUS: Ready,SchedulingDisabled
        ROLES: control-plane
        AGE: 10m
        VERSION: <none>
        INTERNAL-IP*: <none>
        EXTERNAL-IP*: <none>
        OS-IMAGE*: <unknown>
        KERNEL-VERSION*: <unknown>
        CONTAINER-RUNTIME*: <unknown>"#]],
    );
    check(
        pod("web-0").node("a").ready(),
        &expect![[r#"
        NAME: web-0
        READY: 1/1
        STATUS: Running
        RESTARTS: 0
        AGE: 10m
        IP*: <none>
        NODE*: a
        NOMINATED NODE*: <none>
        READINESS GATES*: <none>"#]],
    );
    check(
        replica_set("web-5d4f", 3),
        &expect![[r#"
        NAME: web-5d4f
        DESIRED: 3
        CURRENT: 0
        READY: 0
        AGE: 10m
        CONTAINERS*: main
        IMAGES*: busybox:1
        SELECTOR*: app=web-5d4f"#]],
    );
    check(
        deployment("web", 3).image("web:v2"),
        &expect![[r#"
        NAME: web
        READY: 0/3
        UP-TO-DATE: 0
        AVAILABLE: 0
        AGE: 10m
        CONTAINERS*: main
        IMAGES*: web:v2
        SELECTOR*: app=web"#]],
    );
}

#[test]
fn an_event_shows_what_happened_to_what() {
    let event = skep_api::Event {
        metadata: ObjectMeta {
            name: "web-0.1".into(),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            kind: "Pod".into(),
            name: "web-0".into(),
            field_path: "spec.containers{main}".into(),
            ..ObjectReference::default()
        },
        reason: "BackOff".into(),
        message: "Back-off restarting failed container\n".into(),
        source: EventSource {
            component: "agent".into(),
            host: "a".into(),
        },
        first_timestamp: Some(start()),
        last_timestamp: Some(at(595)),
        count: 7,
        r#type: EventType::Warning,
    };
    check(
        event,
        &expect![[r#"
        LAST SEEN: 5s
        TYPE: Warning
        REASON: BackOff
        OBJECT: pod/web-0
        SUBOBJECT*: spec.containers{main}
        SOURCE*: agent, a
        MESSAGE: Back-off restarting failed container
        FIRST SEEN*: 10m
        COUNT*: 7
        NAME*: web-0.1"#]],
    );
}

#[test]
fn a_node_that_reports_nothing_is_unknown() {
    let mut silent = node("a").build();
    silent.status.conditions.clear();
    assert_eq!(row(&silent.into(), start())[1], "Unknown");
    assert_eq!(row(&node("a").not_ready().object(), start())[1], "NotReady");
}

#[test]
fn a_pod_says_what_it_is_doing_in_one_word() {
    check_pod(&pod("web").build(), "0/1 Pending 0");
    let mut gated = pod("web")
        .condition("PodScheduled", ConditionStatus::False)
        .build();
    gated.status.conditions[0].reason = "SchedulingGated".into();
    check_pod(&gated, "0/1 SchedulingGated 0");
    let mut nominated = pod("web").build();
    nominated.status.nominated_node_name = "n7".into();
    assert_eq!(row(&nominated.into(), at(600))[7], "n7");
    check_pod(
        &pod("web").waiting("ContainerCreating", "").build(),
        "0/1 ContainerCreating 0",
    );
    check_pod(
        &pod("web").waiting("ImagePullBackOff", "").build(),
        "0/1 ImagePullBackOff 0",
    );
    check_pod(&pod("web").running().build(), "0/1 Running 0");
    check_pod(&pod("web").ready().build(), "1/1 Running 0");
    check_pod(&pod("web").succeeded().build(), "0/1 Completed 0");
    check_pod(&pod("web").failed(1).build(), "0/1 Error 0");
    check_pod(&pod("web").ready().deleting(at(630)).build(), "1/1 Terminating 0");
    check_pod(&pod("web").failed(1).deleting(at(630)).build(), "0/1 Error 0");
}

#[test]
fn a_pod_without_a_reason_shows_exit_code_or_signal() {
    let mut failed = pod("web").failed(3).build();
    let end = |pod: &mut Pod, change: fn(&mut ContainerStateTerminated)| {
        let end = pod.status.container_statuses[0].state.terminated.as_mut();
        change(end.expect("the container has ended"));
    };
    end(&mut failed, |end| end.reason.clear());
    check_pod(&failed, "0/1 ExitCode:3 0");
    end(&mut failed, |end| end.signal = 9);
    check_pod(&failed, "0/1 Signal:9 0");
    end(&mut failed, |end| end.reason = "OOMKilled".into());
    check_pod(&failed, "0/1 OOMKilled 0");
}

#[test]
fn a_pod_that_was_made_to_end_says_why() {
    let mut evicted = pod("web").failed(143).build();
    evicted.status.reason = "Evicted".into();
    check_pod(&evicted, "0/1 Evicted 0");
}

#[test]
fn restarts_say_when_the_last_one_was() {
    let mut crashing = pod("web").waiting("CrashLoopBackOff", "").build();
    crashing.status.phase = PodPhase::Running;
    crashing.status.container_statuses[0].restart_count = 3;
    crashing.status.container_statuses[0].last_state = ended(1, "Error");
    check_pod(&crashing, "0/1 CrashLoopBackOff 3 (2m ago)");
}

#[test]
fn init_containers_are_counted_until_all_have_succeeded() {
    let mut starting = pod("web")
        .init("first", "1")
        .init("second", "1")
        .waiting("PodInitializing", "")
        .build();
    starting.status.init_container_statuses = vec![
        status("first", running(), false),
        status("second", waiting("PodInitializing"), false),
    ];
    check_pod(&starting, "0/1 Init:0/2 0");
    starting.status.init_container_statuses[0].state = ended(0, "Completed");
    check_pod(&starting, "0/1 Init:1/2 0");
    starting.status.init_container_statuses[1].state = waiting("CrashLoopBackOff");
    starting.status.init_container_statuses[1].restart_count = 2;
    check_pod(&starting, "0/1 Init:CrashLoopBackOff 2");
    starting.status.init_container_statuses[1].state = ended(1, "Error");
    check_pod(&starting, "0/1 Init:Error 2");
    starting.status.init_container_statuses[1].state = ended(0, "Completed");
    check_pod(&starting, "0/1 PodInitializing 0");
}

#[test]
fn a_pod_with_one_container_done_is_running_or_not_ready() {
    let mut half = pod("web").sidecar("once", "1").ready().build();
    half.status.container_statuses[1] = status("once", ended(0, "Completed"), false);
    check_pod(&half, "1/2 Running 0");
    let not_ready = skep_api::Condition::new("Ready", ConditionStatus::False, "", "");
    skep_api::Condition::set(&mut half.status.conditions, not_ready);
    half.status.container_statuses.reverse();
    check_pod(&half, "1/2 NotReady 0");
}

#[test]
fn sidecars_count_beside_the_others_once_they_have_started() {
    let sidecar = |started: bool, restart_count: i32| ContainerStatus {
        name: "proxy".into(),
        state: running(),
        started: Some(started),
        ready: started,
        restart_count,
        ..ContainerStatus::default()
    };
    let attended = |pod: skep_testkit::PodBuilder| {
        let mut pod = pod.init("proxy", "1").build();
        pod.spec.init_containers[0].restart_policy = Some(skep_api::ContainerRestartPolicy::Always);
        pod
    };
    let mut starting = attended(pod("web").node("a"));
    starting.status.init_container_statuses = vec![sidecar(false, 0)];
    check_pod(&starting, "0/2 Init:0/1 0");
    let mut up = attended(pod("web").node("a").ready());
    up.status.init_container_statuses = vec![sidecar(true, 3)];
    check_pod(&up, "2/2 Running 3");
}
