//! Several servers and agents as processes on this machine: what is lost, and what is not, when some of them fail.

use std::{
    collections::BTreeSet,
    fs,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use serde_json::Value;
use skep_tests::{ControlPlane, Engine, Loopback, WEB_V2, eventually, manifest};

const SOON: Duration = Duration::from_secs(120);

/// Three servers, and agents on the machine's engine.
fn cluster(agents: usize) -> (ControlPlane, Engine) {
    let engine = Engine::shared();
    let mut cluster = ControlPlane::on_loopback(3);
    for _ in 0..agents {
        cluster.add_agent(&Loopback, &engine.host(), &[]);
    }
    (cluster, engine)
}

fn wait_until_running(cluster: &ControlPlane, app: &str, count: usize) -> Vec<String> {
    eventually(&format!("{count} pods of {app} run"), SOON, || {
        let containers = cluster.containers_of(&format!("app={app}"));
        let pods = cluster.pods(&format!("app={app}"));
        let running = pods
            .iter()
            .filter(|pod| pod["status"]["phase"] == "Running")
            .count();
        (running == count && pods.len() == count && containers.len() == count).then_some(containers)
    })
}

/// The containers of the cluster's nodes that run on this engine, by the pod they are for.
fn running_pods(engine: &Engine, cluster: &ControlPlane) -> Vec<String> {
    let mut all = Vec::new();
    for agent in &cluster.agents {
        let label = format!("label=skep.io/node={}", agent.name);
        all.extend(engine.docker_lines(&["ps", "--filter", &label, "--format", "{{.Names}}"]));
    }
    all.sort();
    all
}

fn image_of(pod: &Value) -> String {
    pod["spec"]["containers"][0]["image"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn a_leader_killed_in_the_middle_of_a_rollout_is_not_missed() {
    let (mut cluster, engine) = cluster(2);
    cluster.apply(&manifest::web(
        "web",
        4,
        "strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 1}}",
    ));
    wait_until_running(&cluster, "web", 4);
    cluster.ok(&["set", "image", "deployment/web", &format!("main={WEB_V2}")]);
    eventually("the rollout is on its way", SOON, || {
        let pods = cluster.pods("app=web");
        let new = pods.iter().filter(|pod| image_of(pod) == WEB_V2).count();
        (new > 0 && new < 4).then_some(())
    });
    let leader = cluster.leader();
    cluster.servers[leader].kill();
    eventually("the rollout goes on to its end", SOON, || {
        let status = cluster.skep(&["rollout", "status", "deployment/web", "--timeout=60s"]);
        (status.code == 0).then_some(())
    });
    let pods = cluster.pods("app=web");
    assert_eq!(pods.len(), 4);
    assert!(pods.iter().all(|pod| image_of(pod) == WEB_V2));
    eventually("no container is left over or doubled", SOON, || {
        (running_pods(&engine, &cluster).len() == 4).then_some(())
    });
    cluster.start_server(leader, &Loopback);
    cluster.wait_for_voters(3);
}

#[test]
fn any_server_shows_logs_and_runs_commands_of_any_node() {
    let (cluster, _engine) = cluster(2);
    let talker = "{name: main, image: 'skep-test/sleeper:1'}";
    for agent in &cluster.agents {
        let place = format!("nodeName: {}", agent.name);
        cluster.apply(&manifest::pod(&format!("on-{}", agent.name), talker, &place));
    }
    for agent in &cluster.agents {
        let pod = format!("on-{}", agent.name);
        cluster.ok(&[
            "wait",
            "--for=condition=Ready",
            &format!("pod/{pod}"),
            "--timeout=60s",
        ]);
        for address in &cluster.addresses {
            let server = format!("https://{address}");
            let said = cluster.ok(&["--server", &server, "exec", &pod, "--", "echo", "hello"]);
            assert_eq!(said.trim(), "hello", "through {address}");
            cluster.ok(&["--server", &server, "logs", &pod]);
        }
    }
}

#[test]
fn without_a_majority_nothing_changes_and_everything_runs() {
    let (mut cluster, _engine) = cluster(1);
    cluster.apply(&manifest::sleepers("web", 2));
    let before = wait_until_running(&cluster, "web", 2);
    cluster.servers[1].kill();
    cluster.servers[2].kill();
    let refused = cluster.skep(&[
        "--request-timeout",
        "20s",
        "scale",
        "deployment/web",
        "--replicas=3",
    ]);
    assert_ne!(refused.code, 0, "{refused:?}");
    let node = cluster.agents[0].data_dir().display().to_string();
    eventually(
        "the node says that it is cut off, and shows its pods",
        SOON,
        || {
            let local = cluster.skep(&["agent", "pods", "--data-dir", &node]).stdout;
            (local.contains("cut off") && local.matches("Running").count() == 2).then_some(())
        },
    );
    cluster.start_server(1, &Loopback);
    cluster.start_server(2, &Loopback);
    cluster.wait_for_voters(3);
    eventually("changes are taken again", SOON, || {
        (cluster.skep(&["scale", "deployment/web", "--replicas=3"]).code == 0).then_some(())
    });
    let after: BTreeSet<String> = wait_until_running(&cluster, "web", 3).into_iter().collect();
    assert!(before.iter().all(|id| after.contains(id)), "{before:?} {after:?}");
}

#[test]
fn servers_restarted_one_by_one_lose_no_write_and_restart_no_container() {
    let (mut cluster, _engine) = cluster(1);
    cluster.apply(&manifest::sleepers("web", 2));
    let before = wait_until_running(&cluster, "web", 2);
    let (done, client) = (AtomicBool::new(false), cluster.commands());
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| client.write_until(&done));
        for index in 0..3 {
            assert_eq!(
                cluster.servers[index].stop(),
                Some(0),
                "{}",
                cluster.servers[index].log()
            );
            cluster.start_server(index, &Loopback);
            cluster.wait_for_voters(3);
        }
        done.store(true, Ordering::Relaxed);
        writer.join().expect("the writer ends")
    });
    assert!(written.acknowledged.len() > 5, "only {written:?}");
    assert_eq!(
        written.lost(&cluster),
        Vec::<&str>::new(),
        "acknowledged and lost"
    );
    assert_eq!(wait_until_running(&cluster, "web", 2), before);
}

#[test]
fn a_node_that_falls_silent_is_replaced_and_stops_what_has_moved_when_it_is_back() {
    let (cluster, engine) = cluster(2);
    cluster.apply(&manifest::sleepers("web", 2));
    wait_until_running(&cluster, "web", 2);
    let lost = &cluster.agents[0];
    lost.freeze();
    cluster.wait_for_node(0, "Unknown");
    let elsewhere = |pod: &Value| pod["spec"]["nodeName"] == *cluster.agents[1].name;
    eventually("its pods run elsewhere", SOON, || {
        let pods = cluster.pods("app=web");
        let running = pods.iter().filter(|pod| pod["status"]["phase"] == "Running");
        (running.filter(|pod| elsewhere(pod)).count() == 2).then_some(())
    });
    let kept = cluster.containers_of("app=web");
    lost.resume();
    cluster.wait_for_node(0, "True");
    eventually("what has moved is stopped", SOON, || {
        (running_pods(&engine, &cluster).len() == 2).then_some(())
    });
    assert_eq!(
        cluster.containers_of("app=web"),
        kept,
        "what runs elsewhere stays as it is"
    );
}

#[test]
fn a_wiped_server_joins_under_a_new_number_and_a_server_can_leave() {
    let (mut cluster, _engine) = cluster(0);
    cluster.servers[2].kill();
    let folder = cluster.servers[2].data_dir();
    fs::remove_dir_all(&folder).expect("its folder");
    let (token, known) = (cluster.token("server"), cluster.addresses[0].clone());
    cluster.start_server_with(2, &Loopback, &["--join", &known, "--token", &token]);
    eventually("the wiped server has a new number", SOON, || {
        let line = cluster.member("s2");
        let mut words = line.split_whitespace().skip(1);
        (words.next() == Some("4") && line.contains("Ready")).then_some(())
    });
    cluster.wait_for_voters(3);
    assert_eq!(
        cluster.ok(&["member", "list"]).lines().count(),
        4,
        "the old one is gone"
    );
    let data = cluster.servers[1].data_dir().display().to_string();
    cluster.ok(&["server", "leave", "--data-dir", &data]);
    assert_eq!(cluster.servers[1].wait(), Some(0), "{}", cluster.servers[1].log());
    cluster.wait_for_voters(2);
    cluster.ok(&["create", "namespace", "after"]);
}

#[test]
fn servers_that_move_are_followed() {
    let (mut cluster, _engine) = cluster(1);
    let leader = cluster.leader();
    for moved in [(leader + 1) % 3, leader] {
        assert_eq!(cluster.servers[moved].stop(), Some(0));
        cluster.relocate_server(moved, &Loopback);
        cluster.start_server(moved, &Loopback);
        let (name, address) = (
            cluster.servers[moved].name.clone(),
            cluster.addresses[moved].clone(),
        );
        eventually("the others know where it is", SOON, || {
            cluster.member(&name).contains(&address).then_some(())
        });
        cluster.wait_for_voters(3);
        let server = format!("https://{address}");
        cluster.ok(&["--server", &server, "get", "nodes"]);
    }
    cluster.wait_for_node(0, "True");
}

#[test]
fn the_last_server_can_go_on_alone_and_others_join_it() {
    let (mut cluster, _engine) = cluster(0);
    cluster.ok(&["create", "configmap", "kept", "--from-literal=a=b"]);
    for server in &mut cluster.servers {
        server.kill();
    }
    let data = cluster.servers[1].data_dir().display().to_string();
    let warned = cluster.skep(&["server", "recover", "--data-dir", &data]);
    assert!(
        warned.code == 1 && warned.stderr.contains("containers run twice"),
        "{warned:?}"
    );
    cluster.ok(&["server", "recover", "--the-others-are-lost", "--data-dir", &data]);
    cluster.start_server(1, &Loopback);
    cluster.wait_for_voters(1);
    cluster.ok(&["get", "configmap", "kept"]);
    cluster.addresses = vec![cluster.addresses[1].clone()];
    cluster.add_server(&Loopback, &[]);
    cluster.wait_for_voters(2);
}

#[test]
fn a_snapshot_becomes_a_new_cluster() {
    let engine = Engine::shared();
    let mut old = ControlPlane::on_loopback(1);
    old.add_agent(&Loopback, &engine.host(), &[]);
    old.ok(&["create", "configmap", "kept", "--from-literal=a=b"]);
    let file = old.path("state.snapshot").display().to_string();
    old.ok(&["snapshot", "save", &file]);
    let told = old.ok(&["snapshot", "inspect", &file]);
    assert!(told.contains("configmaps") && told.contains("s0"), "{told}");
    old.servers[0].kill();
    let folder = old.servers[0].data_dir();
    fs::remove_dir_all(&folder).expect("its folder");
    old.ok(&[
        "snapshot",
        "restore",
        &file,
        "--data-dir",
        &folder.display().to_string(),
    ]);
    old.start_server_with(0, &Loopback, &["--init"]);
    old.wait_for_voters(1);
    old.ok(&["get", "configmap", "kept"]);
    eventually("the agent finds the restored cluster", SOON, || {
        old.servers[0].log().contains("agent connected").then_some(())
    });
    old.add_server(&Loopback, &[]);
    old.wait_for_voters(2);
    let damaged = old.path("damaged.snapshot");
    let mut bytes = fs::read(&file).expect("the snapshot");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&damaged, bytes).expect("a file");
    let refused = old.skep(&["snapshot", "inspect", &damaged.display().to_string()]);
    assert!(
        refused.code == 1 && refused.stderr.contains("damaged"),
        "{refused:?}"
    );
}

#[test]
fn a_new_ca_takes_over_while_everything_runs() {
    let (mut cluster, engine) = cluster(1);
    cluster.apply(&manifest::sleepers("web", 2));
    let running = wait_until_running(&cluster, "web", 2);
    let (done, client) = (AtomicBool::new(false), cluster.commands());
    let node = cluster.agents[0].name.clone();
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| client.write_until(&done));
        let told = cluster.ok(&["ca", "rotate", "--retire-after", "40s"]);
        assert!(told.contains("The certificate of admin"), "{told}");
        eventually("every machine has a certificate of the new CA", SOON, || {
            let status = cluster.ok(&["cert", "status"]);
            let of_node = status.lines().find(|line| line.starts_with(&node))?;
            let all = status.contains("Every machine has a certificate of the active CA");
            (all && of_node.contains("Active")).then_some(())
        });
        eventually("the old CA retires", SOON, || {
            let status = cluster.ok(&["cert", "status"]);
            (!status.contains("Retiring")).then_some(())
        });
        done.store(true, Ordering::Relaxed);
        writer.join().expect("the writer ends")
    });
    assert!(written.acknowledged.len() > 5, "only {written:?}");
    assert_eq!(written.failures, Vec::<String>::new());
    assert_eq!(written.lost(&cluster), Vec::<&str>::new());
    cluster.wait_for_voters(3);
    cluster.wait_for_node(0, "True");
    assert_eq!(wait_until_running(&cluster, "web", 2), running);
    cluster.add_server(&Loopback, &[]);
    cluster.wait_for_voters(4);
    cluster.add_agent(&Loopback, &engine.host(), &[]);
}

#[test]
fn a_token_lets_in_only_as_what_and_as_often_as_it_says() {
    let (mut cluster, _engine) = cluster(0);
    let token = cluster.ok(&["token", "create", "--role", "agent", "--uses", "1"]);
    let id = token.trim().split('.').nth(2).expect("an id").to_owned();
    assert!(cluster.ok(&["token", "list"]).contains(&id));
    let refused = join_as(&cluster, "x", token.trim());
    assert!(
        refused.contains("is for agents and lets no server in"),
        "{refused}"
    );
    cluster.ok(&["token", "revoke", &id]);
    assert!(!cluster.ok(&["token", "list"]).contains(&id));
    let refused = cluster.skep(&["token", "revoke", &id]);
    assert!(refused.stderr.contains("there is no join token"), "{refused:?}");
    cluster.add_server(&Loopback, &["--learner"]);
    eventually("a learner follows", SOON, || {
        cluster.member("s3").contains("learner").then_some(())
    });
    cluster.ok(&["member", "promote", "s3"]);
    cluster.wait_for_voters(4);
}

/// What a server says that does not get in, with this name and token, in the folder `intruder`.
fn join_as(cluster: &ControlPlane, name: &str, token: &str) -> String {
    let folder = cluster.path("intruder").display().to_string();
    let known = cluster.addresses[0].clone();
    let place = ["--listen", "127.0.0.1:0", "--advertise", "127.0.0.1:1"];
    let mut args = vec![
        "server",
        "--join",
        &known,
        "--token",
        token,
        "--data-dir",
        &folder,
    ];
    args.extend(["--name", name]);
    args.extend(place);
    let refused = cluster.skep(&args);
    assert_ne!(refused.code, 0, "{refused:?}");
    refused.stderr
}

#[test]
fn a_server_that_was_refused_can_be_told_otherwise() {
    let mut cluster = ControlPlane::on_loopback(2);
    let agents = cluster.token("agent");
    let once = cluster.ok(&["token", "create", "--role", "server", "--uses", "1"]);
    let once = once.trim();
    for (name, token, why) in [
        ("x", agents.as_str(), "is for agents and lets no server in"),
        ("x", "nonsense", "the join token is malformed"),
        ("s1", once, "a server called s1 is in the cluster already"),
        ("No Such", once, "a server cannot be called `No Such`"),
    ] {
        let told = join_as(&cluster, name, token);
        assert!(told.contains(why), "{told}");
    }
    let listed = cluster.ok(&["token", "list"]);
    assert!(
        listed
            .lines()
            .any(|line| line.contains("server") && line.contains(" 1 ")),
        "what is refused spends no token: {listed}"
    );
    // A token of another cluster, and then the right one, in the same folder.
    let other = ControlPlane::on_loopback(1);
    let told = join_as(&cluster, "x", &other.token("server"));
    assert!(told.contains("has no certificate of the CA"), "{told}");
    cluster.add_server(&Loopback, &[]);
    cluster.wait_for_voters(3);
    let alone = other.skep(&["member", "remove", "s0"]);
    assert!(alone.stderr.contains("the only one that votes"), "{alone:?}");
}
