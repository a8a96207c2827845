use std::time::Duration;

use expect_test::expect;
use skep_api::{
    Condition, ConditionStatus, ConfigMapVolumeSource, ContainerPort, ContainerState,
    ContainerStateTerminated, Deployment, EnvVar, EnvVarSource, Event, EventSource, EventType, HttpGetAction,
    IntOrString, KeySelector, Kind, NamespacePhase, ObjectMeta, ObjectReference, Pod, Probe, ReplicaSet,
    Resource, TaintEffect, Toleration, TolerationOperator, Volume, VolumeMount,
};
use skep_state::{Change, Entry};
use skep_testkit::{
    PodBuilder, at, config_map, deployment, namespace, node, pod, quantity, replica_set, secret, start,
};

use super::*;

/// A state that holds these objects, and the namespace `default`.
fn state<const N: usize>(objects: [Object; N]) -> State {
    let mut state = State::default();
    let objects = std::iter::once(namespace("default").object()).chain(objects);
    let changes: Vec<_> = objects.map(Change::create).collect();
    let entry = Entry {
        request_id: String::new(),
        sent: None,
        now: start(),
        changes,
    };
    for outcome in state.apply(&entry) {
        outcome.unwrap();
    }
    state
}

fn event<R: Resource>(about: &R, reason: &str, message: &str, secs: u64) -> Event {
    let meta = about.meta();
    Event {
        metadata: ObjectMeta {
            name: format!("{}.{reason}", meta.name),
            uid: format!("event-{}-{reason}", meta.name),
            namespace: "default".into(),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            kind: R::KIND.as_str().into(),
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
            uid: meta.uid.clone(),
            ..ObjectReference::default()
        },
        reason: reason.into(),
        message: message.into(),
        source: EventSource {
            component: "agent".into(),
            host: "a".into(),
        },
        first_timestamp: Some(at(secs)),
        last_timestamp: Some(at(secs)),
        count: 1,
        r#type: if reason == "Unhealthy" {
            EventType::Warning
        } else {
            EventType::Normal
        },
    }
}

#[test]
fn a_pod_that_got_its_node_with_many_others_says_so_itself() {
    let set = replica_set("web", 40).build();
    let mut web = pod("web-0").owned_by(&set).node("a").ready().build();
    for condition in &mut web.status.conditions {
        condition.last_transition_time = Some(at(31));
    }
    let mut together = event(&set, "Scheduled", "Successfully assigned 40 pods: ...", 30);
    together.source.component = "default-scheduler".to_owned();
    let pulled = event(&web, "Pulled", "image web:1 is here", 33);
    let shown = |objects: Vec<Object>, pod: &Pod| {
        let mut state = state([namespace("other").object()]);
        for object in objects {
            let change = Change::create(object);
            let entry = Entry {
                request_id: String::new(),
                sent: None,
                now: start(),
                changes: vec![change],
            };
            state.apply(&entry).remove(0).unwrap();
        }
        let page = describe(&state, &pod.clone().into(), at(60));
        let keep =
            |line: &&str| line.contains("Scheduled:") || line.contains("assigned") || line.contains("Pulled");
        page.lines().filter(keep).collect::<Vec<_>>().join("\n")
    };
    let objects: Vec<Object> = vec![set.clone().into(), together.into(), pulled.into()];
    expect![[r#"
        Scheduled:      Thu, 01 Jan 2026 00:00:31 +0000
          Normal  Scheduled  29s  default-scheduler  Successfully assigned default/web-0 to a (as one of many: ReplicaSet/web)
          Normal  Pulled     27s  agent              image web:1 is here"#]].assert_eq(&shown(objects.clone(), &web));
    // An event of its own is enough, and one of long before is about others.
    let mut with_own = objects.clone();
    with_own.push(event(&web, "Scheduled", "Successfully assigned default/web-0 to a", 31).into());
    expect![[r#"
        Scheduled:      Thu, 01 Jan 2026 00:00:31 +0000
          Normal  Scheduled  29s  agent  Successfully assigned default/web-0 to a
          Normal  Pulled     27s  agent  image web:1 is here"#]]
    .assert_eq(&shown(with_own, &web));
    let mut later = web.clone();
    later.status.conditions[0].last_transition_time = Some(at(50));
    expect![[r#"
        Scheduled:      Thu, 01 Jan 2026 00:00:50 +0000
          Normal  Pulled  27s  agent  image web:1 is here"#]]
    .assert_eq(&shown(objects, &later));
    // Nobody has chosen a node yet.
    let waiting = pod("web-1").owned_by(&set).build();
    expect![""].assert_eq(&shown(vec![set.into()], &waiting));
}

fn http_probe() -> Probe {
    let http_get = HttpGetAction {
        path: "/healthz".into(),
        port: IntOrString::Int(8080),
        ..HttpGetAction::default()
    };
    Probe {
        http_get: Some(http_get),
        ..Probe::default()
    }
}

/// What a pod is waiting for, a line each.
fn waits(state: &State, pod: &Pod) -> String {
    waiting::pod(state, pod, at(60)).join("\n")
}

fn bound(name: &str) -> PodBuilder {
    pod(name).node("a")
}

#[test]
fn a_pod_is_explained_from_its_node_to_its_events() {
    let mut web = bound("web-0")
        .label("app", "web")
        .owned_by(&replica_set("web-5d4f", 1).build())
        .ready()
        .build();
    dress(&mut web);
    let scheduled = event(&web, "Scheduled", "assigned default/web-0 to a", 0);
    let mut unhealthy = event(&web, "Unhealthy", "Readiness probe failed: HTTP 503", 10);
    (unhealthy.count, unhealthy.last_timestamp) = (3, Some(at(55)));
    let state = state([node("a").object(), scheduled.into(), unhealthy.into()]);
    expect![[r#"
        Name:           web-0
        Namespace:      default
        Node:           a/192.0.2.1
        Scheduled:      Thu, 01 Jan 2026 00:00:00 +0000
        Start Time:     Thu, 01 Jan 2026 00:00:00 +0000
        Labels:         app=web
        Annotations:    <none>
        Status:         Running
        IP:             10.244.0.7
        IPs:            <none>
        Controlled By:  ReplicaSet/web-5d4f
        Containers:
          main:
            Image:      busybox:1
            Port:       8080/TCP
            Host Port:  0/TCP
            Command:
              /bin/web
              --serve
            State:          Running
              Started:      Thu, 01 Jan 2026 00:00:00 +0000
            Last State:     Terminated
              Reason:       OOMKilled
              Exit Code:    137
              Started:      Thu, 01 Jan 2026 00:00:00 +0000
              Finished:     Thu, 01 Jan 2026 00:00:40 +0000
            Ready:          True
            Restart Count:  1
            Requests:
              cpu:      250m
            Readiness:  http-get http://:8080/healthz delay=0s timeout=1s period=10s #success=1 #failure=3
            Environment:
              MODE:      fast
              PASSWORD:  <set to the key 'password' in secret 'web'>  Optional: false
            Mounts:      /etc/web from config (ro)
        Conditions:
          Type             Status
          PodScheduled     True
          Initialized      True
          ContainersReady  True
          Ready            True
        Volumes:
          config:
            Type:        ConfigMap (a volume populated by a ConfigMap)
            Name:        web
            Optional:    false
        QoS Class:       Burstable
        Node-Selectors:  <none>
        Tolerations:     node.kubernetes.io/not-ready:NoExecute op=Exists for 300s
        Events:
          Type     Reason     Age               From   Message
          ----     ------     ---               ----   -------
          Normal   Scheduled  60s               agent  assigned default/web-0 to a
          Warning  Unhealthy  5s (x3 over 50s)  agent  Readiness probe failed: HTTP 503
    "#]]
    .assert_eq(&describe(&state, &web.into(), at(60)));
}

fn dress(pod: &mut Pod) {
    pod.status.pod_ip = "10.244.0.7".into();
    pod.status.host_ip = "192.0.2.1".into();
    pod.spec.tolerations.push(Toleration {
        key: "node.kubernetes.io/not-ready".into(),
        operator: TolerationOperator::Exists,
        effect: Some(TaintEffect::NoExecute),
        toleration_seconds: Some(300),
        ..Toleration::default()
    });
    pod.spec.volumes.push(Volume {
        name: "config".into(),
        config_map: Some(ConfigMapVolumeSource {
            name: "web".into(),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    });
    let container = &mut pod.spec.containers[0];
    container.command = vec!["/bin/web".into(), "--serve".into()];
    container.ports.push(ContainerPort {
        container_port: 8080,
        ..ContainerPort::default()
    });
    container.readiness_probe = Some(Box::new(http_probe()));
    container
        .resources
        .requests
        .insert("cpu".into(), quantity("250m"));
    container.env.push(EnvVar {
        name: "MODE".into(),
        value: "fast".into(),
        value_from: None,
    });
    let password = KeySelector {
        name: "web".into(),
        key: "password".into(),
        optional: false,
    };
    let source = EnvVarSource {
        secret_key_ref: Some(password),
        ..EnvVarSource::default()
    };
    container.env.push(EnvVar {
        name: "PASSWORD".into(),
        value: String::new(),
        value_from: Some(Box::new(source)),
    });
    let mount = VolumeMount {
        name: "config".into(),
        mount_path: "/etc/web".into(),
        read_only: true,
        ..VolumeMount::default()
    };
    container.volume_mounts.push(mount);
    let status = &mut pod.status.container_statuses[0];
    status.restart_count = 1;
    status.last_state = ended(137, "OOMKilled");
}

fn ended(exit_code: i32, reason: &str) -> ContainerState {
    let end = ContainerStateTerminated {
        exit_code,
        reason: reason.into(),
        started_at: Some(start()),
        finished_at: Some(at(40)),
        ..ContainerStateTerminated::default()
    };
    ContainerState {
        terminated: Some(Box::new(end)),
        ..ContainerState::default()
    }
}

#[test]
fn a_pod_without_a_node_gives_the_schedulers_words() {
    let mut pending = pod("web").build();
    assert_eq!(waits(&state([]), &pending), "the scheduler to choose a node");
    let words = "0/1 nodes fit: 1 has too little cpu (8 wanted, 4 free at most)";
    let condition = Condition::new("PodScheduled", ConditionStatus::False, "Unschedulable", words);
    Condition::set(&mut pending.status.conditions, condition);
    assert_eq!(waits(&state([]), &pending), format!("a node to run on: {words}"));
}

#[test]
fn a_pod_that_is_being_moved_says_where_to_and_why() {
    let mark = r#"{"since":"2026-01-01T00:00:00Z","to":"b","why":"a uses 92% of its cpu","overfull":true}"#;
    let pod = bound("web")
        .annotation("skep.io/rebalance-move", mark)
        .ready()
        .build();
    let state = state([node("a").object()]);
    let text = describe(&state, &pod.into(), at(60));
    let line = text.lines().find(|line| line.starts_with("Moves To")).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words.join(" "), "Moves To: b: a uses 92% of its cpu");
}

#[test]
fn a_pod_on_a_lost_node_waits_for_the_node() {
    let pod = bound("web").waiting("ContainerCreating", "").build();
    assert_eq!(
        waits(&state([]), &pod),
        "the node \"a\", which does not exist any more"
    );
    let mut lost = node("a").not_ready().build();
    for condition in &mut lost.status.conditions {
        condition.message = "no heartbeat for 40s".into();
    }
    let expected = "the node \"a\", which has not been ready for 60s: no heartbeat for 40s";
    assert_eq!(waits(&state([lost.into()]), &pod), expected);
}

#[test]
fn a_missing_config_map_or_key_is_named() {
    let mut pod = bound("web").waiting("CreateContainerConfigError", "").build();
    dress(&mut pod);
    pod.status.container_statuses[0].restart_count = 0;
    expect![[r#"
        the config map "web", which does not exist in namespace "default"
        the secret "web", which does not exist in namespace "default""#]]
    .assert_eq(&waits(&state([node("a").object()]), &pod));
    let empty = [
        node("a").object(),
        config_map("web").object(),
        secret("web").object(),
    ];
    expect![[r#"the key "password" of secret "web", which it does not have"#]]
        .assert_eq(&waits(&state(empty), &pod));
    let full = secret("web").data("password", "aHVudGVyMg==").object();
    expect![[r#"container "main": CreateContainerConfigError"#]].assert_eq(&waits(
        &state([node("a").object(), config_map("web").object(), full]),
        &pod,
    ));
}

#[test]
fn an_image_that_cannot_be_pulled_gives_the_engines_words() {
    let pod = bound("web")
        .image("nowhere/web:v9")
        .waiting("ImagePullBackOff", "Back-off pulling image")
        .build();
    let pulling = event(&pod, "Pulling", "Pulling image \"nowhere/web:v9\"", 50);
    let failed = event(
        &pod,
        "Failed",
        "Failed to pull image \"nowhere/web:v9\": no such host",
        50,
    );
    expect![[r#"the image "nowhere/web:v9" of container "main": Back-off pulling image; Failed to pull image "nowhere/web:v9": no such host; last tried 10s ago, tried again at most 5m later"#]].assert_eq(&waits(&state([node("a").object(), failed.into(), pulling.into()]), &pod));
}

#[test]
fn a_crashing_container_says_how_it_ended() {
    let mut pod = bound("web")
        .waiting(
            "CrashLoopBackOff",
            "back-off 1m20s restarting failed container=main pod=web",
        )
        .build();
    pod.status.container_statuses[0].restart_count = 2;
    pod.status.container_statuses[0].last_state = ended(2, "Error");
    let end = pod.status.container_statuses[0]
        .last_state
        .terminated
        .as_mut()
        .unwrap();
    end.message = "starting\ncannot open /data: no such file\n".into();
    expect![[r#"container "main" to be started again in 60s (back-off 1m20s): its last run ended 20s ago with exit code 2 (Error): cannot open /data: no such file"#]].assert_eq(&waits(&state([node("a").object()]), &pod));
}

#[test]
fn a_probe_that_does_not_pass_gives_its_last_answer() {
    let mut pod = bound("web").running().build();
    pod.spec.containers[0].readiness_probe = Some(Box::new(http_probe()));
    expect![[r#"the readiness probe of container "main" (http-get http://:8080/healthz) to succeed; it has not failed yet"#]].assert_eq(&waits(&state([node("a").object()]), &pod));
    let mut failure = event(
        &pod,
        "Unhealthy",
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
        10,
    );
    (failure.count, failure.last_timestamp) = (4, Some(at(55)));
    expect![[r#"the readiness probe of container "main" (http-get http://:8080/healthz) to succeed; 5s ago, 4 times so far: Readiness probe failed: HTTP probe failed with statuscode: 503"#]].assert_eq(&waits(&state([node("a").object(), failure.into()]), &pod));
    pod.spec.containers[0].startup_probe = Some(Box::new(http_probe()));
    expect![[r#"the startup probe of container "main" (http-get http://:8080/healthz) to succeed; it has not failed yet"#]].assert_eq(&waits(&state([node("a").object()]), &pod));
}

#[test]
fn a_pod_waits_for_its_init_containers_first() {
    let mut pod = bound("web")
        .init("migrate", "1")
        .init("warm", "1")
        .waiting("PodInitializing", "")
        .build();
    expect![[r#"init container "migrate" (1 of 2) to be started"#]]
        .assert_eq(&waits(&state([node("a").object()]), &pod));
    let first = skep_api::ContainerStatus {
        name: "migrate".into(),
        state: ended(0, "Completed"),
        ..Default::default()
    };
    let second = skep_api::ContainerStatus {
        name: "warm".into(),
        state: ended(3, "Error"),
        ..Default::default()
    };
    pod.status.init_container_statuses = vec![first, second];
    expect![[r#"init container "warm" (2 of 2) to be started again: its last run ended 20s ago with exit code 3 (Error)"#]].assert_eq(&waits(&state([node("a").object()]), &pod));
}

#[test]
fn a_pod_that_ends_says_how_long_it_may_take() {
    let pod = bound("web").ready().deleting(at(80)).build();
    assert_eq!(
        waits(&state([]), &pod),
        "its containers to end: they are killed in 20s"
    );
    let late = bound("web").ready().deleting(at(50)).build();
    assert_eq!(
        waits(&state([]), &late),
        "its containers to be killed: their grace period is over"
    );
}

#[test]
fn a_pod_that_is_ready_or_done_waits_for_nothing() {
    assert_eq!(
        waits(&state([node("a").object()]), &bound("web").ready().build()),
        ""
    );
    assert_eq!(waits(&state([]), &bound("web").failed(1).build()), "");
}

/// A deployment of 3 in the middle of a rollout: one new pod that is not ready, three old ones.
fn rollout() -> (Deployment, [Object; 7]) {
    let mut web = deployment("web", 3).image("web:v2").build();
    web.status.observed_generation = 1;
    (
        web.status.replicas,
        web.status.updated_replicas,
        web.status.ready_replicas,
    ) = (4, 1, 3);
    (web.status.available_replicas, web.status.unavailable_replicas) = (3, 1);
    let set = |name: &str, image: &str, replicas: i32| {
        let mut set: ReplicaSet = replica_set(name, replicas).owned_by(&web).image(image).build();
        set.spec.template.metadata = web.spec.template.metadata.clone();
        set.spec
            .template
            .metadata
            .labels
            .insert("pod-template-hash".into(), name.into());
        set.status.replicas = replicas;
        set
    };
    let (old, new) = (set("web-1", "web:v1", 3), set("web-2", "web:v2", 1));
    let old_pod = |name: &str| bound(name).owned_by(&old).ready().object();
    let new_pod = bound("web-2-a")
        .owned_by(&new)
        .waiting("ErrImagePull", "no such image: web:v2")
        .object();
    let objects = [
        node("a").object(),
        old_pod("web-1-a"),
        old_pod("web-1-b"),
        old_pod("web-1-c"),
        new_pod,
        old.clone().into(),
        new.into(),
    ];
    (web, objects)
}

#[test]
fn a_deployment_is_explained_with_its_replica_sets() {
    let (web, objects) = rollout();
    let state = state(objects);
    expect![[r#"
        Name:                   web
        Namespace:              default
        CreationTimestamp:      Thu, 01 Jan 2026 00:00:00 +0000
        Labels:                 <none>
        Annotations:            <none>
        Selector:               app=web
        Replicas:               3 desired | 1 updated | 4 total | 3 available | 1 unavailable
        StrategyType:           RollingUpdate
        MinReadySeconds:        0
        RollingUpdateStrategy:  25% max unavailable, 25% max surge
        Waiting for:            pod web-2-a, which waits for the image "busybox:1" of container "main": no such image: web:v2
                                2 new pods to be created, as maxSurge and maxUnavailable allow
                                3 old pods to end
        Pod Template:
          Labels:  app=web
          Containers:
            main:
              Image:        web:v2
              Environment:  <none>
              Mounts:       <none>
          Volumes:          <none>
        OldReplicaSets:     web-1 (3/3 replicas created)
        NewReplicaSet:      web-2 (1/1 replicas created)
        Events:             <none>
    "#]].assert_eq(&describe(&state, &web.into(), at(60)));
}

#[test]
fn a_rollout_that_is_stuck_says_so() {
    let (mut web, objects) = rollout();
    let state = state(objects);
    let words = "ReplicaSet \"web-2\" has timed out progressing.";
    let stuck = Condition::new(
        "Progressing",
        ConditionStatus::False,
        "ProgressDeadlineExceeded",
        words,
    );
    web.status.conditions.push(stuck);
    expect![[r#"
        somebody to look into it, as there is no progress: ReplicaSet "web-2" has timed out progressing.
        pod web-2-a, which waits for the image "busybox:1" of container "main": no such image: web:v2
        2 new pods to be created, as maxSurge and maxUnavailable allow
        3 old pods to end"#]]
    .assert_eq(&waiting::deployment(&state, &web, at(60)).join("\n"));
}

#[test]
fn a_paused_rollout_says_how_to_go_on() {
    let (mut web, objects) = rollout();
    web.spec.paused = true;
    expect![[r#"
        the rollout to be resumed: `skep rollout resume deployment/web`
        pod web-2-a, which waits for the image "busybox:1" of container "main": no such image: web:v2
        3 old pods to end"#]]
    .assert_eq(&waiting::deployment(&state(objects), &web, at(60)).join("\n"));
}

#[test]
fn pods_that_are_ready_wait_for_min_ready_seconds() {
    let web = replica_set("web", 2).min_ready_seconds(90).build();
    let of = |name: &str| bound(name).owned_by(&web).ready().object();
    let mut web = web.clone();
    web.status.replicas = 2;
    let state = state([node("a").object(), of("web-a"), of("web-b")]);
    expect!["2 pods such as web-a, which wait for minReadySeconds (90s) to pass: 30s to go"]
        .assert_eq(&waiting::replica_set(&state, &web, at(60)).join("\n"));
}

#[test]
fn a_finished_rollout_waits_for_nothing() {
    let (mut web, objects) = rollout();
    (
        web.status.replicas,
        web.status.updated_replicas,
        web.status.available_replicas,
    ) = (3, 3, 3);
    assert!(waiting::deployment(&state(objects), &web, at(60)).is_empty());
    web.metadata.generation = 2;
    let words = waiting::deployment(&state([]), &web, at(60)).join("");
    assert_eq!(words, "the deployment controller to take up the newest change");
}

#[test]
fn a_replica_set_is_explained() {
    let (_, objects) = rollout();
    let state = state(objects);
    let set = state
        .object(Kind::ReplicaSet, &skep_api::ObjectKey::new("default", "web-2"))
        .unwrap();
    expect![[r#"
        Name:           web-2
        Namespace:      default
        Selector:       app=web-2
        Labels:         <none>
        Annotations:    <none>
        Controlled By:  Deployment/web
        Replicas:       1 current / 1 desired
        Pods Status:    0 Running / 1 Waiting / 0 Succeeded / 0 Failed
        Waiting for:    pod web-2-a, which waits for the image "busybox:1" of container "main": no such image: web:v2
        Pod Template:
          Labels:  app=web
                   pod-template-hash=web-2
          Containers:
            main:
              Image:        web:v2
              Environment:  <none>
              Mounts:       <none>
          Volumes:          <none>
        Events:             <none>
    "#]].assert_eq(&describe(&state, set, at(60)));
}

#[test]
fn a_node_is_explained_with_what_its_pods_take() {
    let a = node("a")
        .pod_cidr("10.244.0.0/24")
        .taint("disk", "slow", TaintEffect::NoSchedule)
        .build();
    let web = bound("web")
        .cpu("1")
        .memory("512Mi")
        .ready()
        .created(at(30))
        .object();
    let done = bound("done").cpu("3").succeeded().object();
    let state = state([a.clone().into(), web, done]);
    expect![[r#"
        Name:               a
        Roles:              <none>
        Labels:             kubernetes.io/hostname=a
        Annotations:        <none>
        CreationTimestamp:  Thu, 01 Jan 2026 00:00:00 +0000
        Taints:             disk=slow:NoSchedule
        Unschedulable:      false
        Conditions:
          Type            Status  LastHeartbeatTime                LastTransitionTime               Reason  Message
          ----            ------  -----------------                ------------------               ------  -------
          MemoryPressure  False   Thu, 01 Jan 2026 00:00:00 +0000  Thu, 01 Jan 2026 00:00:00 +0000
          DiskPressure    False   Thu, 01 Jan 2026 00:00:00 +0000  Thu, 01 Jan 2026 00:00:00 +0000
          PIDPressure     False   Thu, 01 Jan 2026 00:00:00 +0000  Thu, 01 Jan 2026 00:00:00 +0000
          Ready           True    Thu, 01 Jan 2026 00:00:00 +0000  Thu, 01 Jan 2026 00:00:00 +0000
        Addresses:
          Hostname:  a
        Capacity:
          cpu:                4
          ephemeral-storage:  100Gi
          memory:             16Gi
          pods:               110
        Allocatable:
          cpu:                4
          ephemeral-storage:  100Gi
          memory:             16Gi
          pods:               110
        System Info:
          Machine ID:
          System UUID:
          Boot ID:
          Kernel Version:
          OS Image:
          Operating System:
          Architecture:
          Container Runtime Version:
          Agent Version:
        PodCIDR:                      10.244.0.0/24
        PodCIDRs:                     10.244.0.0/24
        Non-terminated Pods:          (1 in total)
          Namespace                   Name  CPU Requests  CPU Limits  Memory Requests  Memory Limits  Age
          ---------                   ----  ------------  ----------  ---------------  -------------  ---
          default                     web   1 (25%)       0 (0%)      512Mi (3%)       0 (0%)         30s
        Allocated resources:
          (Total limits may be over 100 percent, i.e., overcommitted.)
          Resource           Requests    Limits
          --------           --------    ------
          cpu                1 (25%)     0 (0%)
          memory             512Mi (3%)  0 (0%)
          ephemeral-storage  0 (0%)      0 (0%)
        Events:              <none>
    "#]].assert_eq(&describe(&state, &a.into(), at(60)));
}

#[test]
fn a_secret_shows_sizes_and_never_its_data() {
    let secret = secret("web").data("password", "aHVudGVyMg==").object();
    let text = describe(&State::default(), &secret, at(60));
    assert!(
        !text.contains("hunter2") && !text.contains("aHVudGVyMg"),
        "{text}"
    );
    expect![[r#"
        Name:         web
        Namespace:    default
        Labels:       <none>
        Annotations:  <none>

        Type:  Opaque

        Data
        ====
        password:  7 bytes

        Events:  <none>
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_config_map_shows_its_data() {
    let map = config_map("web")
        .label("app", "web")
        .data("web.conf", "a = 1\nb = 2\n")
        .object();
    expect![[r#"
        Name:         web
        Namespace:    default
        Labels:       app=web
        Annotations:  <none>

        Data
        ====
        web.conf:
        ----
        a = 1
        b = 2

        BinaryData
        ====

        Events:  <none>
    "#]]
    .assert_eq(&describe(&State::default(), &map, at(60)));
}

#[test]
fn a_namespace_that_ends_says_what_is_left_in_it() {
    let mut shop = namespace("default").terminating().build();
    shop.status.phase = NamespacePhase::Terminating;
    let state = state([config_map("a").object(), pod("web").object(), pod("api").object()]);
    expect![[r#"
        Name:         default
        Labels:       kubernetes.io/metadata.name=default
        Annotations:  <none>
        Status:       Terminating
        Objects:      1 configmap
                      2 pods
        Waiting for:  1 configmap, 2 pods to go
        Events:       <none>
    "#]]
    .assert_eq(&describe(&state, &shop.into(), at(60)));
}

#[test]
fn an_event_is_explained() {
    let happened = event(
        &pod("web").build(),
        "Unhealthy",
        "Readiness probe failed: HTTP 503",
        10,
    );
    expect![[r#"
        Name:         web.Unhealthy
        Namespace:    default
        Labels:       <none>
        Annotations:  <none>
        Type:         Warning
        Reason:       Unhealthy
        Message:      Readiness probe failed: HTTP 503
        Object:       Pod/web
        Reported By:  agent
        Node:         a
        Count:        1
        First Seen:   Thu, 01 Jan 2026 00:00:10 +0000
        Last Seen:    Thu, 01 Jan 2026 00:00:10 +0000
    "#]]
    .assert_eq(&describe(
        &State::default(),
        &happened.into(),
        start().plus(Duration::from_secs(60)),
    ));
}
