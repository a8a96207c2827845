//! Three machines on a network, each with a server, an agent and an engine: wires are cut, and mended.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;
use skep_tests::{ControlPlane, Lan, Machine, eventually, manifest};

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

    fn wait_until_running(&self, count: usize) {
        eventually(&format!("{count} pods run"), SOON, || {
            let pods = self.cluster.pods("app=web");
            let running = pods
                .iter()
                .filter(|pod| pod["status"]["phase"] == "Running")
                .count();
            (running == count && pods.len() == count).then_some(())
        });
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
    site.wait_until_running(6);
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
fn a_majority_cut_off_and_back_and_a_rolling_restart_touch_no_container() {
    let mut site = Site::new();
    site.cluster.apply(&manifest::sleepers("web", 6));
    site.wait_until_running(6);
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
    for index in 0..3 {
        assert_eq!(site.cluster.servers[index].stop(), Some(0));
        site.cluster.start_server(index, &site.machines[index]);
        site.cluster.wait_for_voters(3);
    }
    for index in 0..3 {
        site.cluster.wait_for_node(index, "True");
    }
    site.wait_until_running(6);
    assert_eq!(site.all_containers(), before);
}
