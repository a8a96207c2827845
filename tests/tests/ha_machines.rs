//! Three machines on a network, each with a server, an agent and an engine: wires are cut, and mended.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;
use skep_tests::{ControlPlane, Lan, Machine, WEB_V2, eventually, manifest};

const SOON: Duration = Duration::from_secs(180);

/// The machines are declared last, so that engines end after the processes that use them.
struct Site {
    cluster: ControlPlane,
    machines: Vec<Machine>,
    _lan: Lan,
}

impl Site {
    fn new() -> Self {
        let lan = Lan::new();
        let machines: Vec<Machine> = (0..3).map(|index| lan.machine(index)).collect();
        let mut cluster = ControlPlane::in_lan(&lan);
        for machine in &machines {
            cluster.add_server(machine, &[]);
        }
        cluster.wait_for_voters(3);
        for machine in &machines {
            cluster.add_agent(machine, &machine.engine.host(), &[]);
        }
        Self {
            cluster,
            machines,
            _lan: lan,
        }
    }

    /// The containers that run on a machine, by id.
    fn containers(&self, index: usize) -> BTreeSet<String> {
        let list = [
            "ps",
            "--no-trunc",
            "--filter",
            "label=skep.io/node",
            "--format",
            "{{.ID}}",
        ];
        self.machines[index]
            .engine
            .docker_lines(&list)
            .into_iter()
            .collect()
    }

    fn all_containers(&self) -> BTreeSet<String> {
        (0..3).flat_map(|index| self.containers(index)).collect()
    }

    fn wait_until_running(&self, app: &str, count: usize) {
        eventually(&format!("{count} pods of {app} run"), SOON, || {
            let pods = self.cluster.pods(&format!("app={app}"));
            let running = pods
                .iter()
                .filter(|pod| pod["status"]["phase"] == "Running")
                .count();
            (running == count && pods.len() == count).then_some(())
        });
    }

    /// How many containers of an image were ever made for pods.
    fn made_of(&self, image: &str) -> usize {
        let (image, of_pods) = (format!("image={image}"), "label=skep.io/node");
        // Docker takes a time relative to now as whole seconds, and would leave out what was made in this one.
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.expect("the clock is set");
        let now = format!("{}.{:09}", now.as_secs(), now.subsec_nanos());
        let events = [
            "events",
            "--since",
            "24h",
            "--until",
            &now,
            "--filter",
            "event=create",
        ];
        let filters = ["--filter", &image, "--filter", of_pods, "--format", "{{.ID}}"];
        let args = [&events[..], &filters[..]].concat();
        let made = self
            .machines
            .iter()
            .map(|machine| machine.engine.docker_lines(&args).len());
        made.sum()
    }

    fn pods_on(&self, index: usize) -> usize {
        let here = |pod: &&Value| pod["spec"]["nodeName"] == *self.cluster.agents[index].name;
        self.cluster.pods("app=web").iter().filter(here).count()
    }

    fn local_pods(&self, index: usize) -> String {
        let data = self.cluster.agents[index].data_dir().display().to_string();
        self.cluster.skep(&["agent", "pods", "--data-dir", &data]).stdout
    }
}

#[test]
fn a_machine_that_is_cut_off_loses_its_pods_and_takes_part_again_when_it_is_back() {
    let site = Site::new();
    site.cluster.apply(&manifest::sleepers("web", 6));
    site.wait_until_running("web", 6);
    let cut = site.cluster.leader();
    let others: Vec<usize> = (0..3).filter(|index| *index != cut).collect();
    assert!(site.pods_on(cut) > 0, "the pods are spread");
    let (there, elsewhere) = (
        site.containers(cut),
        others.iter().flat_map(|index| site.containers(*index)),
    );
    let elsewhere: BTreeSet<String> = elsewhere.collect();

    site.machines[cut].cut();
    eventually("another server leads", SOON, || {
        (site.cluster.leader() != cut).then_some(())
    });
    site.cluster.wait_for_node(cut, "Unknown");
    eventually("its pods are replaced", SOON, || {
        let pods = site.cluster.pods("app=web");
        let running = pods.iter().filter(|pod| pod["status"]["phase"] == "Running");
        let moved = running
            .filter(|pod| pod["spec"]["nodeName"] != *site.cluster.agents[cut].name)
            .count();
        (moved == 6).then_some(())
    });
    assert_eq!(site.containers(cut), there, "the machine itself goes on");
    assert!(
        site.local_pods(cut).contains("cut off"),
        "{}",
        site.local_pods(cut)
    );

    site.machines[cut].mend();
    site.cluster.wait_for_node(cut, "True");
    site.cluster.wait_for_voters(3);
    eventually("what has moved is stopped", SOON, || {
        (site.all_containers().len() == 6).then_some(())
    });
    assert!(
        site.all_containers().is_superset(&elsewhere),
        "nothing was restarted needlessly"
    );
}

#[test]
fn a_majority_cut_off_and_back_and_a_rolling_restart_under_load_touch_no_container() {
    let mut site = Site::new();
    site.cluster.apply(&manifest::sleepers("web", 6));
    site.wait_until_running("web", 6);
    let before = site.all_containers();
    site.machines[1].cut();
    site.machines[2].cut();
    let refused = site
        .cluster
        .skep(&["--request-timeout", "10s", "create", "namespace", "lost"]);
    assert_ne!(refused.code, 0, "{refused:?}");
    eventually("every agent is cut off", SOON, || {
        (0..3)
            .all(|index| site.local_pods(index).contains("cut off"))
            .then_some(())
    });
    assert_eq!(site.all_containers(), before);
    site.machines[1].mend();
    site.machines[2].mend();
    site.cluster.wait_for_voters(3);
    for index in 0..3 {
        site.cluster.wait_for_node(index, "True");
    }
    site.cluster.ok(&["create", "namespace", "found"]);
    let (done, client) = (AtomicBool::new(false), site.cluster.commands());
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| client.write_until(&done));
        for index in 0..3 {
            assert_eq!(site.cluster.servers[index].stop(), Some(0));
            site.cluster.start_server(index, &site.machines[index]);
            site.cluster.wait_for_voters(3);
        }
        done.store(true, Ordering::Relaxed);
        writer.join().expect("the writer ends")
    });
    assert!(written.acknowledged.len() > 5, "only {written:?}");
    assert_eq!(
        written.lost(&site.cluster),
        Vec::<&str>::new(),
        "acknowledged and lost"
    );
    for index in 0..3 {
        site.cluster.wait_for_node(index, "True");
    }
    site.wait_until_running("web", 6);
    assert_eq!(site.all_containers(), before);
}

#[test]
fn a_leader_killed_in_the_middle_of_a_rollout_doubles_no_container() {
    let mut site = Site::new();
    site.cluster.apply(&manifest::sleepers("steady", 3));
    let careful = "strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 1}}";
    site.cluster.apply(&manifest::web("web", 6, careful));
    site.wait_until_running("web", 6);
    site.wait_until_running("steady", 3);
    let steady = site.cluster.containers_of("app=steady");
    site.cluster
        .ok(&["set", "image", "deployment/web", &format!("main={WEB_V2}")]);
    eventually("the rollout is on its way", SOON, || {
        let made = site.made_of(WEB_V2);
        (made > 0 && made < 6).then_some(())
    });
    let leader = site.cluster.leader();
    site.cluster.servers[leader].kill();
    eventually("the rollout goes on to its end", SOON, || {
        let status = site
            .cluster
            .skep(&["rollout", "status", "deployment/web", "--timeout=60s"]);
        (status.code == 0).then_some(())
    });
    site.wait_until_running("web", 6);
    eventually("what was replaced is gone", SOON, || {
        (site.all_containers().len() == 9).then_some(())
    });
    assert_eq!(site.made_of(WEB_V2), 6, "each new pod had one container");
    assert_eq!(site.cluster.containers_of("app=steady"), steady);
    site.cluster.start_server(leader, &site.machines[leader]);
    site.cluster.wait_for_voters(3);
    for index in 0..3 {
        site.cluster.wait_for_node(index, "True");
    }
    assert_eq!(site.all_containers().len(), 9);
    assert_eq!(site.cluster.containers_of("app=steady"), steady);
}
