//! The way down: golden transcripts of whole stories.

use std::{sync::Arc, time::Duration};

use expect_test::{Expect, expect};
use skep_api::{Condition, ConditionStatus};

use super::fixture::{Story, one, story};

fn check(story: &mut Story, expected: &Expect) {
    expected.assert_eq(&story.told());
}

fn delete(story: &mut Story, secs: u64) -> &mut Story {
    story.then("it is deleted", |story| {
        story.desired.ending = Some(Duration::from_secs(secs));
    })
}

#[test]
fn a_deleted_pod_stops_then_leaves_nothing() {
    let mut story = one("");
    story.settle();
    story.told();
    check(
        delete(&mut story, 30).settle(),
        &expect![[r#"
        -- it is deleted
        Stop web in 30s + Say Killing: Stopping container web
        Remove web-1
        TearDownVolumes + FreeAddress
        = Failed; web (Error 143); gone
    "#]],
    );
}

#[test]
fn a_pod_of_several_containers_takes_its_holder_with_it() {
    let mut story = story(r#""containers": [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}]"#);
    story.settle();
    story.told();
    check(
        delete(&mut story, 5).settle(),
        &expect![[r#"
        -- it is deleted
        Stop a in 5s + Say Killing: Stopping container a + Stop b in 5s + Say Killing: Stopping container b
        Remove a-2 + Remove b-3 + Remove holder-1
        TearDownVolumes + FreeAddress
        = Failed; a (Error 143); b (Error 143); gone
    "#]],
    );
}

#[test]
fn a_pod_that_never_started_is_gone_at_once() {
    let mut story = one("");
    check(
        delete(&mut story, 30).settle(),
        &expect![[r#"
        -- it is deleted
        = Pending; web [ContainerCreating]; gone
    "#]],
    );
}

#[test]
fn a_shorter_grace_makes_an_end_that_is_going_on_sooner_and_never_later() {
    let mut story = one("");
    story.settle();
    story.hangs = true;
    delete(&mut story, 30).settle();
    story.told();
    check(
        delete(&mut story, 60).settle(),
        &expect![[r#"
        -- it is deleted
        = Running; web running ready
    "#]],
    );
    check(
        delete(&mut story, 0).settle(),
        &expect![[r#"
        -- it is deleted
        Stop web in 0ns without hook
        = Running; web running ready
    "#]],
    );
}

#[test]
fn a_container_whose_start_is_going_on_is_waited_for() {
    let mut story = one("");
    story.hangs = true;
    story.settle();
    story.hangs = false;
    check(
        delete(&mut story, 30).settle(),
        &expect![[r#"
        SetUpVolumes + TakeAddress + EnsureImage web#0
        = Pending; web [ContainerCreating]
        -- it is deleted
        = Pending; web [ContainerCreating]
    "#]],
    );
    story.observed.working.clear();
    check(
        story.settle(),
        &expect![[r#"
        = Pending; web [ContainerCreating]; gone
    "#]],
    );
}

#[test]
fn the_deadline_fails_the_pod_and_keeps_it_failed() {
    let mut story = one(r#""activeDeadlineSeconds": 60,"#);
    check(
        story.settle().pass(59).settle().pass(1).settle(),
        &expect![[r#"
        SetUpVolumes + TakeAddress + EnsureImage web#0
        Start web#0
        = Running; web running ready; again in 60s
        -- 59 s later
        = Running; web running ready; again in 1s
        -- 1 s later
        ! DeadlineExceeded: Pod was active on the node longer than the specified deadline
        Stop web in 30s + Say Killing: Stopping container web
        FreeAddress
        = Failed DeadlineExceeded; web (Error 143)
    "#]],
    );
    check(
        story.restart_agent().pass(1000).settle(),
        &expect![[r#"
        -- the agent restarts
        -- 1000 s later
        = Failed DeadlineExceeded; web (Error 143)
    "#]],
    );
}

#[test]
fn an_evicted_pod_fails_with_the_reason() {
    let mut story = one("");
    story.settle();
    story.told();
    story.then("its emptyDir is too large", |story| {
        story.observed.evicted = Some(super::Evicted {
            message: "too large".to_owned(),
            grace: None,
        });
    });
    check(
        story.settle(),
        &expect![[r#"
        -- its emptyDir is too large
        ! Evicted: too large
        Stop web in 30s + Say Killing: Stopping container web
        FreeAddress
        = Failed Evicted; web (Error 143)
    "#]],
    );
}

const WITH_DEVICE: &str =
    r#""containers": [{"name": "web", "image": "web:v1", "resources": {"limits": {"x.io/d": "1"}}}]"#;

#[test]
fn devices_are_taken_before_the_first_start_and_given_back_after_the_end() {
    let mut story = story(WITH_DEVICE);
    story.settle();
    check(
        &mut story,
        &expect![[r#"
        SetUpVolumes + TakeAddress + TakeDevices + EnsureImage web#0
        Start web#0
        = Running; web running ready
    "#]],
    );
    check(
        delete(&mut story, 30).settle(),
        &expect![[r#"
        -- it is deleted
        Stop web in 30s + Say Killing: Stopping container web
        Remove web-1
        TearDownVolumes + FreeAddress + FreeDevices
        = Failed; web (Error 143); gone
    "#]],
    );
}

#[test]
fn a_pod_that_its_node_can_never_serve_fails_with_the_reason() {
    let mut story = story(WITH_DEVICE);
    story.no_devices = Some("Allocate failed".to_owned());
    story.settle();
    check(
        &mut story,
        &expect![[r#"
        SetUpVolumes + TakeAddress + TakeDevices + EnsureImage web#0
        ! UnexpectedAdmissionError: Allocate failed
        FreeAddress
        = Failed UnexpectedAdmissionError; web [ContainerCreating]
    "#]],
    );
}

#[test]
fn a_pod_that_is_over_gives_its_address_back_and_tells_it_still() {
    let mut story = one(r#""restartPolicy": "Never","#);
    story.settle().exits("web", 0).settle();
    story.told();
    check(
        story.settle(),
        &expect![[r#"
        = Succeeded; web (Completed 0)
    "#]],
    );
    assert_eq!(story.observed.address, super::Address::None);
    assert_eq!(story.observed.status.pod_ip, "10.0.0.2");
}

#[test]
fn times_of_transition_move_only_with_their_condition() {
    let mut story = one("");
    let told = |story: &Story| {
        let line =
            |c: &Condition| format!("{}={:?}@{} ", c.r#type, c.status, c.last_transition_time.unwrap());
        story
            .observed
            .status
            .conditions
            .iter()
            .map(line)
            .collect::<String>()
    };
    let scheduled = Condition {
        r#type: "PodScheduled".to_owned(),
        status: ConditionStatus::True,
        last_transition_time: Some(skep_api::Time::from_secs(7)),
        ..Condition::default()
    };
    let mut pod = (*story.desired.pod).clone();
    pod.status.conditions.push(scheduled);
    story.desired.pod = Arc::new(pod);
    story.settle();
    let first = told(&story);
    story.pass(100).settle();
    assert_eq!(told(&story), first);
    expect!["PodScheduled=True@1970-01-01T00:00:07Z Initialized=True@1970-01-01T00:16:40Z Ready=True@1970-01-01T00:16:40Z ContainersReady=True@1970-01-01T00:16:40Z "].assert_eq(&first);
    story.exits("web", 1).settle().exits("web", 1).settle();
    expect!["PodScheduled=True@1970-01-01T00:00:07Z Initialized=True@1970-01-01T00:16:40Z Ready=False@1970-01-01T00:18:20Z ContainersReady=False@1970-01-01T00:18:20Z "].assert_eq(&told(&story));
}
