//! The bridge, fixed addresses and what hangs on them.

use std::net::Ipv4Addr;

use skep_agent::runtime::{
    ContainerSpec, Network, NetworkMode, PortMapping, RunState, Runtime, RuntimeError,
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
};

use crate::engine::{Engine, random_block, until};

const ADDRESS: &str = "ip -4 addr show eth0 | grep -o 'inet [0-9.]*'";

#[tokio::test]
async fn a_container_has_the_address_it_was_given() {
    let engine = Engine::new().await;
    let network = engine.network().await;
    let spec = on(&network, 9, engine.script(ADDRESS));
    assert_eq!(
        engine.output_of(&spec).await,
        format!("inet {}\n", address(&network, 9))
    );
}

#[tokio::test]
async fn the_address_stays_over_restarts_and_from_init_container_to_container() {
    let engine = Engine::new().await;
    let network = engine.network().await;
    let expected = format!("inet {}\n", address(&network, 9));
    let first = engine.run(&on(&network, 9, engine.script(ADDRESS))).await;
    engine.ended(&first).await;
    // The one before is still there, ended, when the next one starts.
    assert_eq!(
        engine.output_of(&on(&network, 9, engine.script(ADDRESS))).await,
        expected
    );
    engine.docker.remove(&first).await.expect("it goes");
    assert_eq!(
        engine.output_of(&on(&network, 9, engine.script(ADDRESS))).await,
        expected
    );
}

#[tokio::test]
async fn an_address_that_another_container_holds_is_refused_as_such() {
    let engine = Engine::new().await;
    let network = engine.network().await;
    let holder = engine.run(&on(&network, 9, engine.script("sleep 1000"))).await;
    let late = engine
        .docker
        .create(&on(&network, 9, engine.script("sleep 1000")))
        .await
        .expect("it is made");
    let error = engine.docker.start(&late).await.expect_err("the address is held");
    assert_eq!(
        error,
        RuntimeError::AddressInUse("Address already in use".to_owned())
    );
    assert_eq!(
        engine.container(&late).await.state,
        RunState::Created,
        "it may still be started"
    );
    engine.docker.remove(&holder).await.expect("it goes");
    engine.docker.start(&late).await.expect("the address is free");
}

#[tokio::test]
async fn a_network_that_is_as_wanted_is_left_alone() {
    let engine = Engine::new().await;
    let network = engine.network().await;
    let id = engine.run(&on(&network, 9, engine.script("sleep 1000"))).await;
    engine.docker.ensure_network(&network).await.expect("it is there");
    assert!(engine.container(&id).await.pid > 0, "the container on it runs on");
}

#[tokio::test]
async fn a_network_of_other_addresses_is_made_anew_unless_containers_are_on_it() {
    let engine = Engine::new().await;
    let old = engine.network().await;
    let user = engine.script("sleep 1000");
    let id = engine.run(&on(&old, 9, user.clone())).await;
    let moved = engine.network_at(random_block());
    let error = engine
        .docker
        .ensure_network(&moved)
        .await
        .expect_err("a container is on it")
        .to_string();
    assert!(
        error.contains(&old.cidr) && error.contains(&moved.cidr),
        "{error}"
    );
    assert!(error.contains(&format!("remove {} first", user.name)), "{error}");

    engine.docker.remove(&id).await.expect("it goes");
    let moved = engine.network().await;
    assert_ne!(moved.cidr, old.cidr);
    let spec = on(&moved, 9, engine.script(ADDRESS));
    assert_eq!(
        engine.output_of(&spec).await,
        format!("inet {}\n", address(&moved, 9))
    );
}

#[tokio::test]
async fn a_network_that_holds_the_addresses_is_named_with_the_remedy() {
    let (engine, other) = (Engine::new().await, Engine::new().await);
    let holder = other.network().await;
    let wanted = Network {
        name: format!("{}-late", holder.name),
        labels: engine.labels(),
        ..holder.clone()
    };
    let error = engine
        .docker
        .ensure_network(&wanted)
        .await
        .expect_err("the addresses are taken")
        .to_string();
    let remedy = format!(
        "the network {} has {}, and this node's pods are to have {}; remove it (docker network rm {})",
        holder.name, holder.cidr, holder.cidr, holder.name
    );
    assert!(error.contains(&remedy), "{error}");
    other.docker.remove_network(&holder.name).await.expect("it goes");
    other
        .docker
        .remove_network(&holder.name)
        .await
        .expect("it is gone");
    engine
        .docker
        .ensure_network(&wanted)
        .await
        .expect("the addresses are free");
}

#[tokio::test]
async fn containers_on_the_bridge_reach_each_other() {
    let engine = Engine::new().await;
    let network = engine.network().await;
    engine
        .run(&on(&network, 9, engine.script("echo hello | nc -l -p 80")))
        .await;
    let client = engine.run(&on(&network, 10, engine.script("sleep 1000"))).await;
    let target = address(&network, 9).to_string();
    until("the server answers", || async {
        let (text, _) = engine
            .exec(&client, &["busybox", "nc", "-w", "1", &target, "80"])
            .await;
        (text == "hello\n").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_port_of_the_node_leads_to_the_container() {
    let engine = Engine::new().await;
    let network = engine.network().await;
    let port = free_port().await;
    let mapping = PortMapping {
        container: 80,
        host: port,
        host_ip: "127.0.0.1".to_owned(),
        protocol: "tcp",
    };
    let script = "while true; do echo hello | nc -l -p 80; done";
    engine
        .run(&ContainerSpec {
            ports: vec![mapping],
            ..on(&network, 9, engine.script(script))
        })
        .await;
    until("the port answers", || async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await.ok()?;
        (text == "hello\n").then_some(())
    })
    .await;
}

#[tokio::test]
async fn host_name_hosts_and_name_servers_are_written_down() {
    let engine = Engine::new().await;
    let network = engine.network().await;
    let spec = ContainerSpec {
        hostname: "web-0".to_owned(),
        extra_hosts: vec!["db.internal:192.0.2.7".to_owned()],
        dns: (
            vec!["192.0.2.53".to_owned()],
            vec!["cluster.internal".to_owned()],
            vec!["ndots:3".to_owned()],
        ),
        ..on(
            &network,
            9,
            engine.script("hostname; grep db.internal /etc/hosts; grep -v '^#' /etc/resolv.conf"),
        )
    };
    let text = engine.output_of(&spec).await;
    assert!(text.starts_with("web-0\n192.0.2.7\tdb.internal\n"), "{text}");
    assert!(
        text.contains("search cluster.internal\n") && text.contains("options ndots:3"),
        "{text}"
    );
}

fn on(network: &Network, last: u8, spec: ContainerSpec) -> ContainerSpec {
    let network = NetworkMode::Bridge {
        network: network.name.clone(),
        address: address(network, last),
    };
    ContainerSpec { network, ..spec }
}

fn address(network: &Network, last: u8) -> Ipv4Addr {
    let [a, b, c, _] = network.gateway.expect("it has one").octets();
    Ipv4Addr::new(a, b, c, last)
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}
