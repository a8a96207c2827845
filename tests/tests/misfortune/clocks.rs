//! Clocks are set while everything runs: nobody takes anybody for dead, no pod moves, and nothing stays broken.

use std::time::Duration;

use serde_json::Value;
use skep_tests::{Clock, ControlPlane, Engine, Load, eventually, manifest};

const SOON: Duration = Duration::from_secs(90);
const HOUR: i64 = 3600;
const ELEVEN_YEARS: i64 = 11 * 365 * 24 * HOUR;

/// Three servers and an agent, each with a clock of its own.
struct Site {
    cluster: ControlPlane,
    clocks: Vec<Clock>,
}

impl Site {
    fn new() -> Self {
        let mut cluster = ControlPlane::new();
        let clocks: Vec<_> = (0..4)
            .map(|number| Clock::new(cluster.path(&format!("clock-{number}"))))
            .collect();
        for clock in &clocks[..3] {
            cluster.add_server(clock, &[]);
        }
        cluster.wait_for_voters(3);
        cluster.add_agent(&clocks[3], &Engine::shared().host(), &[]);
        cluster.apply(&manifest::web("web", 2, ""));
        let status = ["rollout", "status", "deployment/web", "--timeout=90s"];
        cluster.ok(&status);
        Self { cluster, clocks }
    }

    /// What must not change: who leads, since when the node is ready, and which containers run since when.
    fn present(&self) -> (usize, Value, Vec<String>) {
        let node = self
            .cluster
            .object(&format!("node/{}", self.cluster.agents[0].name));
        let conditions = node["status"]["conditions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let ready = conditions
            .into_iter()
            .find(|condition| condition["type"] == "Ready");
        let mut ready = ready.expect("the node is told of");
        let ready = ready.as_object_mut().expect("a condition");
        ready.remove("lastHeartbeatTime");
        (
            self.cluster.leader(),
            Value::Object(ready.clone()),
            self.cluster.containers_of("app=web"),
        )
    }

    /// Lives on for longer than a node may be silent, with every clock as it is.
    fn live_on(&self, load: &Load) {
        let begin = std::time::Instant::now();
        eventually("time goes by", SOON, || {
            load.wait_for(5);
            (begin.elapsed() > Duration::from_secs(8)).then_some(())
        });
    }
}

#[test]
fn clocks_that_jump_by_an_hour_are_not_noticed() {
    let site = Site::new();
    let before = site.present();
    let load = Load::start(&site.cluster, 1);
    let (leader, follower, agent) = (before.0, (before.0 + 1) % 3, 3);
    for (who, seconds) in [
        (leader, HOUR),
        (leader, -HOUR),
        (follower, HOUR),
        (agent, HOUR),
        (agent, -HOUR),
    ] {
        site.clocks[who].set(seconds);
        site.live_on(&load);
        assert_eq!(site.present(), before, "with clock {who} set by {seconds} s");
        site.clocks[who].set(0);
    }
    site.live_on(&load);
    assert_eq!(site.present(), before, "with every clock right again");
    load.finish().check();
}

#[test]
fn a_clock_eleven_years_ahead_is_named_and_all_is_well_once_it_is_right() {
    let mut site = Site::new();
    let before = site.present();
    let load = Load::start(&site.cluster, 1);
    let wrong = (before.0 + 1) % 3;
    for who in [wrong, 3] {
        site.clocks[who].set(ELEVEN_YEARS);
        site.live_on(&load);
        let now = site.present();
        assert_eq!(
            (now.0, &now.2),
            (before.0, &before.2),
            "with clock {who} eleven years ahead"
        );
    }
    // Connections that are made anew show what the clock does.
    site.cluster.servers[wrong].kill();
    site.cluster.start_server(wrong, &site.clocks[wrong]);
    eventually("the server says what is wrong", SOON, || {
        let log = site.cluster.servers[wrong].log();
        log.contains("clock").then_some(())
    });
    for who in [wrong, 3] {
        site.clocks[who].set(0);
    }
    site.cluster.wait_for_voters(3);
    site.cluster.wait_for_node(0, "True");
    site.live_on(&load);
    assert_eq!(site.present().2, before.2, "no container was touched");
    load.finish().check();
}
