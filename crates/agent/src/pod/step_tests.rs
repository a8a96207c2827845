//! The way up, and what keeps containers up: golden transcripts of whole stories.

use std::{collections::BTreeMap, sync::Arc};

use expect_test::{Expect, expect};

use super::{
    Probed, Run,
    fixture::{Story, one, story},
};
use crate::runtime::RunState;

fn check(story: &mut Story, expected: &Expect) {
    expected.assert_eq(&story.told());
}

#[test]
fn a_pod_starts_with_volumes_address_image_container() {
    check(
        one("").settle(),
        &expect![[r#"
        SetUpVolumes + TakeAddress + EnsureImage web#0
        Start web#0
        = Running; web running ready
    "#]],
    );
}

#[test]
fn a_step_while_work_is_going_on_plans_nothing_twice() {
    let mut story = one("");
    story.hangs = true;
    check(
        story.settle(),
        &expect![[r#"
        SetUpVolumes + TakeAddress + EnsureImage web#0
        = Pending; web [ContainerCreating]
    "#]],
    );
}

#[test]
fn init_containers_run_one_by_one_before_the_others() {
    let mut story = story(
        r#""initContainers": [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}],
           "containers": [{"name": "web", "image": "web:v1"}]"#,
    );
    check(
        story.settle().exits("a", 0).settle().exits("b", 0).settle(),
        &expect![[r#"
        SetUpVolumes + TakeAddress + EnsureImage a#0
        Start a#0
        = Pending; a running; b [ContainerCreating]; web [PodInitializing]
        -- a exits with 0
        EnsureImage b#0
        Start b#0
        = Pending; a (Completed 0) ready; b running; web [PodInitializing]
        -- b exits with 0
        EnsureImage web#0
        Start web#0
        = Running; a (Completed 0) ready; b (Completed 0) ready; web running ready
    "#]],
    );
}

#[test]
fn an_init_container_that_fails_is_tried_again_or_fails_the_pod() {
    let spec = r#""initContainers": [{"name": "a", "image": "i"}], "containers": [{"name": "web", "image": "web:v1"}]"#;
    check(
        story(spec).settle().exits("a", 1).settle(),
        &expect![[r#"
        SetUpVolumes + TakeAddress + EnsureImage a#0
        Start a#0
        = Pending; a running; web [PodInitializing]
        -- a exits with 1
        EnsureImage a#1
        Start a#1 (crash 1)
        = Pending; a running restarts=1 last=(Error 1); web [PodInitializing]
    "#]],
    );
    let never = format!(r#""restartPolicy": "Never", {spec}"#);
    check(
        story(&never).settle().exits("a", 1).settle().pass(60).settle(),
        &expect![[r#"
        SetUpVolumes + TakeAddress + EnsureImage a#0
        Start a#0
        = Pending; a running; web [PodInitializing]
        -- a exits with 1
        FreeAddress
        = Failed; a (Error 1); web [PodInitializing]
        -- 60 s later
        = Failed; a (Error 1); web [PodInitializing]
    "#]],
    );
}

#[test]
fn containers_that_share_an_address_get_a_holder_first() {
    let spec = r#""containers": [{"name": "web", "image": "web:v1"}, {"name": "log", "image": "log:v1"}]"#;
    let mut story = story(spec);
    check(
        story.settle(),
        &expect![[r#"
        SetUpVolumes + TakeAddress + EnsureImage web#0 + EnsureImage log#0
        StartHolder
        Start web#0 + Start log#0
        = Running; web running ready; log running ready
    "#]],
    );
    story.then("the holder dies", |story| {
        let now = story.now;
        let holder = story.observed.holder.as_mut().unwrap();
        holder.state = RunState::Exited {
            code: 137,
            oom_killed: false,
            message: String::new(),
            started: None,
            finished: now,
        };
    });
    check(
        story.settle(),
        &expect![[r#"
        -- the holder dies
        Stop log in 30s + Stop web in 30s + Say SandboxChanged: Pod sandbox changed, it will be killed and re-created.
        Remove holder-1 + EnsureImage web#1 + EnsureImage log#1
        StartHolder
        Start web#1 (crash 1) + Start log#1 (crash 1)
        = Running; web running ready restarts=1 last=(Error 143); log running ready restarts=1 last=(Error 143)
    "#]],
    );
}

#[test]
fn a_missing_image_backs_off_with_the_engines_words() {
    let mut story = one("");
    story.no_image.insert("web".to_owned());
    check(
        story.settle().pass(2).settle().pass(8).settle().pass(20).settle(),
        &expect![[r#"
        SetUpVolumes + TakeAddress + EnsureImage web#0
        = Pending; web [ErrImagePull: no route to registry]; again in 2s
        -- 2 s later
        ! BackOff: Back-off pulling image "web:v1"
        = Pending; web [ImagePullBackOff: Back-off pulling image "web:v1": no route to registry]; again in 8s
        -- 8 s later
        EnsureImage web#0
        = Pending; web [ErrImagePull: no route to registry]; again in 2s
        -- 20 s later
        ! BackOff: Back-off pulling image "web:v1"
        EnsureImage web#0
        = Pending; web [ErrImagePull: no route to registry]; again in 2s
    "#]],
    );
    story.no_image.clear();
    check(
        story.pass(40).settle(),
        &expect![[r#"
        -- 40 s later
        ! BackOff: Back-off pulling image "web:v1"
        EnsureImage web#0
        Start web#0
        = Running; web running ready
    "#]],
    );
}

#[test]
fn a_container_that_ends_at_once_crash_loops_from_ten_seconds_up() {
    let mut story = one("");
    story.settle();
    story.told();
    check(
        story
            .exits("web", 1)
            .settle()
            .exits("web", 1)
            .settle()
            .pass(10)
            .settle(),
        &expect![[r#"
        -- web exits with 1
        EnsureImage web#1
        Start web#1 (crash 1)
        = Running; web running ready restarts=1 last=(Error 1)
        -- web exits with 1
        ! BackOff: Back-off restarting failed container web
        = Running; web [CrashLoopBackOff: back-off 10s restarting failed container=web pod=web_default(u1)] restarts=1 last=(Error 1); again in 10s
        -- 10 s later
        EnsureImage web#2
        Start web#2 (crash 2)
        Remove web-1
        = Running; web running ready restarts=2 last=(Error 1)
    "#]],
    );
    check(
        story.exits("web", 1).settle(),
        &expect![[r#"
        -- web exits with 1
        ! BackOff: Back-off restarting failed container web
        = Running; web [CrashLoopBackOff: back-off 20s restarting failed container=web pod=web_default(u1)] restarts=2 last=(Error 1); again in 20s
    "#]],
    );
}

#[test]
fn ten_minutes_of_running_forgive_the_crashes() {
    let mut story = one("");
    story
        .settle()
        .exits("web", 1)
        .settle()
        .exits("web", 1)
        .settle()
        .pass(10)
        .settle();
    story.told();
    check(
        story.pass(600).exits("web", 1).settle(),
        &expect![[r#"
        -- 600 s later
        -- web exits with 1
        EnsureImage web#3
        Start web#3
        Remove web-2
        = Running; web running ready restarts=3 last=(Error 1)
    "#]],
    );
}

#[test]
fn a_restart_policy_decides_what_is_over() {
    let run = |policy: &str, code| {
        let mut story = one(&format!(r#""restartPolicy": "{policy}","#));
        story.settle();
        story.told();
        story.exits("web", code).settle().told()
    };
    expect![[r#"
        -- web exits with 0
        FreeAddress
        = Succeeded; web (Completed 0)
    "#]]
    .assert_eq(&run("Never", 0));
    expect![[r#"
        -- web exits with 3
        FreeAddress
        = Failed; web (Error 3)
    "#]]
    .assert_eq(&run("Never", 3));
    expect![[r#"
        -- web exits with 0
        FreeAddress
        = Succeeded; web (Completed 0)
    "#]]
    .assert_eq(&run("OnFailure", 0));
    expect![[r#"
        -- web exits with 3
        EnsureImage web#1
        Start web#1 (crash 1)
        = Running; web running ready restarts=1 last=(Error 3)
    "#]]
    .assert_eq(&run("OnFailure", 3));
}

#[test]
fn a_program_that_is_not_there_is_told_and_tried_again() {
    let mut story = one("");
    story.cannot_start.insert("web".to_owned());
    check(
        story.settle().pass(2).settle(),
        &expect![[r#"
        SetUpVolumes + TakeAddress + EnsureImage web#0
        Start web#0
        EnsureImage web#1
        Start web#1 (crash 1)
        = Running; web [RunContainerError: no such file: /bin/nope] restarts=1 last=(ContainerCannotRun 128); again in 2s
        -- 2 s later
        ! BackOff: Back-off restarting failed container web
        = Running; web [CrashLoopBackOff: back-off 10s restarting failed container=web pod=web_default(u1)] restarts=1 last=(ContainerCannotRun 128); again in 8s
    "#]],
    );
}

#[test]
fn a_changed_image_replaces_the_container_without_back_off() {
    let mut story = one("");
    let hashes = |hash: &str| Arc::new(BTreeMap::from([("web".to_owned(), hash.to_owned())]));
    story.desired.hashes = hashes("1");
    story.settle();
    story.told();
    story.then("another image", |story| story.desired.hashes = hashes("2"));
    check(
        story.settle(),
        &expect![[r#"
        -- another image
        Stop web in 30s + Say Killing: Container web definition changed, will be restarted
        EnsureImage web#1
        Start web#1
        = Running; web running ready restarts=1 last=(Error 143)
    "#]],
    );
}

#[test]
fn a_failed_liveness_probe_restarts_the_container_in_the_probes_own_grace() {
    let probe = r#"{"tcpSocket": {"port": 80}, "terminationGracePeriodSeconds": 7}"#;
    let spec = format!(r#""containers": [{{"name": "web", "image": "web:v1", "livenessProbe": {probe}}}]"#);
    let mut story = story(&spec);
    story.settle();
    story.told();
    story.then("the probe fails for good", |story| {
        let failed = Probed {
            failed: Some("liveness"),
            ..Probed::default()
        };
        let id = story.id("web");
        story.observed.probes.insert(id, failed);
    });
    check(
        story.settle(),
        &expect![[r#"
        -- the probe fails for good
        Stop web in 7s + Say Killing: Container web failed liveness probe, will be restarted
        EnsureImage web#1
        Start web#1 (crash 1)
        = Running; web running ready restarts=1 last=(Error 143)
    "#]],
    );
}

#[test]
fn a_container_is_ready_when_its_probes_say_so() {
    let probe = r#"{"tcpSocket": {"port": 80}}"#;
    let spec = format!(
        r#""containers": [{{"name": "web", "image": "web:v1", "readinessProbe": {probe}, "startupProbe": {probe}}}]"#
    );
    let mut story = story(&spec);
    let say = |started, ready| {
        move |story: &mut Story| {
            let id = story.id("web");
            story.observed.probes.insert(
                id,
                Probed {
                    started,
                    ready,
                    failed: None,
                },
            );
        }
    };
    story.settle();
    story.told();
    story
        .settle()
        .then("it has started", say(Some(true), None))
        .settle();
    story.then("it is ready", say(Some(true), Some(true))).settle();
    story
        .then("it is not ready", say(Some(true), Some(false)))
        .settle();
    check(
        &mut story,
        &expect![[r#"
        = Running; web running
        -- it has started
        = Running; web running
        -- it is ready
        = Running; web running ready
        -- it is not ready
        = Running; web running
    "#]],
    );
}

#[test]
fn a_container_does_not_run_before_its_post_start_hook_is_over() {
    let hook = r#"{"postStart": {"exec": {"command": ["true"]}}}"#;
    let spec = format!(r#""containers": [{{"name": "web", "image": "web:v1", "lifecycle": {hook}}}]"#);
    check(
        story(&spec).settle(),
        &expect![[r#"
        SetUpVolumes + TakeAddress + EnsureImage web#0
        Start web#0
        PostStart web
        = Running; web running ready
    "#]],
    );
    let mut bad = story(&spec);
    bad.bad_hook.insert("web".to_owned());
    bad.settle();
    let told = bad.told();
    assert!(told.contains("Say Killing: FailedPostStartHook"), "{told}");
}

#[test]
fn an_agents_restart_touches_nothing() {
    let mut story = one("");
    story.settle();
    story.told();
    let before = story.observed.status.clone();
    check(
        story.restart_agent().pass(100).settle(),
        &expect![[r#"
        -- the agent restarts
        -- 100 s later
        SetUpVolumes
        = Running; web running ready
    "#]],
    );
    assert_eq!(story.observed.status, before);
}

#[test]
fn restart_count_and_last_state_come_back_from_the_engine() {
    let mut story = one("");
    story.settle().exits("web", 1).settle().exits("web", 2).settle();
    let before = story.observed.status.clone();
    story.restart_agent().settle();
    assert_eq!(story.observed.status, before);
    story.told();
    check(
        story.pass(9).settle().pass(1).settle(),
        &expect![[r#"
        -- 9 s later
        = Running; web [CrashLoopBackOff: back-off 10s restarting failed container=web pod=web_default(u1)] restarts=1 last=(Error 2); again in 1s
        -- 1 s later
        EnsureImage web#2
        Start web#2 (crash 2)
        Remove web-1
        = Running; web running ready restarts=2 last=(Error 2)
    "#]],
    );
}

#[test]
fn a_container_that_was_made_and_not_started_is_started() {
    let mut story = one("");
    story.settle();
    story.told();
    story.then("the agent died between create and start", |story| {
        let run = Run {
            state: RunState::Created,
            ..story.observed.latest("web").unwrap().clone()
        };
        story.observed.runs.insert("web".to_owned(), vec![run]);
    });
    check(
        story.settle(),
        &expect![[r#"
        -- the agent died between create and start
        Resume web
        = Running; web running ready
    "#]],
    );
}

#[test]
fn a_container_that_somebody_removed_counts_on() {
    let mut story = one("");
    story.settle();
    story.told();
    let id = story.id("web");
    story.then("docker rm -f", |story| story.observed.forget(&id));
    check(
        story.settle(),
        &expect![[r#"
        -- docker rm -f
        EnsureImage web#1
        Start web#1
        = Running; web running ready restarts=1
    "#]],
    );
}

#[test]
fn nothing_is_done_or_declared_dead_while_the_engine_is_away() {
    let mut story = one("");
    story.settle();
    let before = story.observed.status.clone();
    story.then("the engine goes away", |story| story.observed.engine_away = true);
    story.told();
    check(
        story.pass(300).settle(),
        &expect![[r#"
        -- 300 s later
        = Running; web running ready
    "#]],
    );
    assert_eq!(story.observed.status, before);
}

#[test]
fn changed_config_maps_refresh_the_volumes_of_a_running_pod() {
    let mut story = one("");
    story.settle();
    story.told();
    story.then("a config map changes", |story| story.desired.sources = 7);
    check(
        story.settle(),
        &expect![[r#"
        -- a config map changes
        SetUpVolumes
        = Running; web running ready
    "#]],
    );
}

#[test]
fn only_the_last_dead_run_is_kept() {
    let mut story = one("");
    story.settle();
    for _ in 0..3 {
        story.exits("web", 1).settle().pass(300).settle();
    }
    let attempts: Vec<u32> = story.observed.runs["web"].iter().map(|run| run.attempt).collect();
    assert_eq!(attempts, [2, 3]);
}
