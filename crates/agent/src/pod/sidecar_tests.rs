//! Sidecars: they start in order, hold up those after them until they have started, last as long as the others, and end last.

use std::time::Duration;

use expect_test::{Expect, expect};

use super::{
    Probed,
    fixture::{Story, story},
};

fn check(story: &mut Story, expected: &Expect) {
    expected.assert_eq(&story.told());
}

/// A proxy, then a container that runs to its end, then a log shipper, then `web`.
fn proxied(more: &str) -> Story {
    story(&format!(
        r#"{more} "initContainers": [
            {{"name": "proxy", "image": "i", "restartPolicy": "Always"}},
            {{"name": "setup", "image": "i"}},
            {{"name": "logs", "image": "i", "restartPolicy": "Always"}}],
          "containers": [{{"name": "web", "image": "web:v1"}}]"#
    ))
}

fn up(more: &str) -> Story {
    let mut story = proxied(more);
    story.settle().exits("setup", 0).settle();
    story.told();
    story
}

#[test]
fn sidecars_start_in_their_turn_and_go_on_while_the_others_start() {
    let mut story = proxied("");
    check(
        story.settle().exits("setup", 0).settle(),
        &expect![[r#"
            SetUpVolumes + TakeAddress + EnsureImage proxy#0
            StartHolder
            Start proxy#0
            EnsureImage setup#0
            Start setup#0
            = Pending; proxy running ready; setup running; logs [ContainerCreating]; web [PodInitializing]
            -- setup exits with 0
            EnsureImage logs#0
            Start logs#0
            EnsureImage web#0
            Start web#0
            = Running; proxy running ready; setup (Completed 0) ready; logs running ready; web running ready
        "#]],
    );
}

#[test]
fn those_after_a_sidecar_wait_until_it_has_started_and_the_pod_is_ready_with_it() {
    let mut story = story(
        r#""initContainers": [{"name": "proxy", "image": "i", "restartPolicy": "Always",
             "startupProbe": {"exec": {"command": ["up"]}}, "readinessProbe": {"exec": {"command": ["ok"]}}}],
           "containers": [{"name": "web", "image": "web:v1"}]"#,
    );
    check(
        story.settle(),
        &expect![[r#"
        SetUpVolumes + TakeAddress + EnsureImage proxy#0
        StartHolder
        Start proxy#0
        = Pending; proxy running; web [PodInitializing]
    "#]],
    );
    let id = story.id("proxy");
    let said = |started, ready| Probed {
        started: Some(started),
        ready: Some(ready),
        failed: None,
    };
    story.observed.probes.insert(id.clone(), said(true, false));
    check(
        story.settle(),
        &expect![[r#"
        EnsureImage web#0
        Start web#0
        = Running; proxy running; web running ready
    "#]],
    );
    let unready = |story: &Story| {
        let conditions = &story.observed.status.conditions;
        let ready = conditions.iter().find(|condition| condition.r#type == "Ready");
        ready
            .map(|condition| condition.message.clone())
            .unwrap_or_default()
    };
    assert_eq!(unready(&story), "containers with unready status: [proxy]");
    story.observed.probes.insert(id, said(true, true));
    check(
        story.settle(),
        &expect![[r#"
        = Running; proxy running ready; web running ready
    "#]],
    );
    assert_eq!(unready(&story), "");
}

#[test]
fn a_sidecar_that_ends_is_started_again_whatever_the_pod_says_and_nobody_else_is() {
    let mut story = up(r#""restartPolicy": "Never","#);
    check(
        story.exits("logs", 0).settle().pass(10).settle(),
        &expect![[r#"
            -- logs exits with 0
            EnsureImage logs#1
            Start logs#1 (crash 1)
            = Running; proxy running ready; setup (Completed 0) ready; logs running ready restarts=1 last=(Completed 0); web running ready
            -- 10 s later
            = Running; proxy running ready; setup (Completed 0) ready; logs running ready restarts=1 last=(Completed 0); web running ready
        "#]],
    );
    check(
        story.exits("proxy", 1).settle().pass(10).settle(),
        &expect![[r#"
            -- proxy exits with 1
            EnsureImage proxy#1
            Start proxy#1 (crash 1)
            = Running; proxy running ready restarts=1 last=(Error 1); setup (Completed 0) ready; logs running ready restarts=1 last=(Completed 0); web running ready
            -- 10 s later
            = Running; proxy running ready restarts=1 last=(Error 1); setup (Completed 0) ready; logs running ready restarts=1 last=(Completed 0); web running ready
        "#]],
    );
}

#[test]
fn a_pod_whose_own_containers_are_done_ends_its_sidecars_and_has_succeeded() {
    let mut story = up(r#""restartPolicy": "OnFailure","#);
    check(
        story.exits("web", 0).settle(),
        &expect![[r#"
        -- web exits with 0
        Stop logs in 30s + Say Killing: Stopping container logs
        Stop proxy in 30s + Say Killing: Stopping container proxy
        Remove holder-1
        FreeAddress
        = Succeeded; proxy (Error 143); setup (Completed 0) ready; logs (Error 143); web (Completed 0)
    "#]],
    );
    check(
        story.pass(60).settle(),
        &expect![[r#"
        -- 60 s later
        = Succeeded; proxy (Error 143); setup (Completed 0) ready; logs (Error 143); web (Completed 0)
    "#]],
    );
}

#[test]
fn a_pod_whose_own_container_fails_has_failed_though_its_sidecars_ended_well() {
    let mut story = up(r#""restartPolicy": "Never","#);
    check(
        story.exits("web", 3).settle(),
        &expect![[r#"
        -- web exits with 3
        Stop logs in 30s + Say Killing: Stopping container logs
        Stop proxy in 30s + Say Killing: Stopping container proxy
        Remove holder-1
        FreeAddress
        = Failed; proxy (Error 143); setup (Completed 0) ready; logs (Error 143); web (Error 3)
    "#]],
    );
}

#[test]
fn sidecars_end_after_the_others_and_the_last_one_first() {
    let mut story = up("");
    story.desired.ending = Some(Duration::from_secs(30));
    check(
        story.settle(),
        &expect![[r#"
        Stop web in 30s + Say Killing: Stopping container web
        Stop logs in 30s + Say Killing: Stopping container logs
        Stop proxy in 30s + Say Killing: Stopping container proxy
        Remove logs-4 + Remove proxy-2 + Remove setup-3 + Remove web-5 + Remove holder-1
        TearDownVolumes + FreeAddress
        = Failed; proxy (Error 143); setup (Completed 0) ready; logs (Error 143); web (Error 143); gone
    "#]],
    );
}

#[test]
fn what_the_others_took_is_missing_from_the_sidecars_time_to_end() {
    let mut story = up("");
    story.desired.ending = Some(Duration::from_secs(30));
    let mut pod = (*story.desired.pod).clone();
    pod.metadata.deletion_timestamp = Some(story.now.plus(Duration::from_secs(30)));
    story.desired.pod = pod.into();
    story.exits("web", 0).pass(25);
    check(
        story.settle(),
        &expect![[r#"
        -- web exits with 0
        -- 25 s later
        Stop logs in 5s + Say Killing: Stopping container logs
        Stop proxy in 5s + Say Killing: Stopping container proxy
        Remove logs-4 + Remove proxy-2 + Remove setup-3 + Remove web-5 + Remove holder-1
        TearDownVolumes + FreeAddress
        = Succeeded; proxy (Error 143); setup (Completed 0) ready; logs (Error 143); web (Completed 0); gone
    "#]],
    );
}

#[test]
fn an_agent_that_starts_anew_leaves_sidecars_alone() {
    let mut story = up("");
    check(
        story.restart_agent().settle(),
        &expect![[r#"
        -- the agent restarts
        SetUpVolumes
        = Running; proxy running ready; setup (Completed 0) ready; logs running ready; web running ready
    "#]],
    );
}
