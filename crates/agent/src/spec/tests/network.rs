//! Namespaces, and what comes with the network's.

use expect_test::expect;
use serde_json::{Value, json};

use super::{build, first, inputs, pod, pod_of};
use crate::{
    runtime::{ContainerSpec, HOLDER_IMAGE, ImageInfo, NetworkMode},
    spec::{ContainerKind, Dns, Inputs, SpecError, container, holder},
};

fn two(mut fields: Value) -> skep_api::Pod {
    fields["containers"] = json!([
        { "name": "a", "image": "a", "ports": [{ "containerPort": 80, "hostPort": 8080 }] },
        { "name": "b", "image": "b", "ports": [{ "containerPort": 53, "hostPort": 53, "protocol": "UDP", "hostIP": "127.0.0.1" }] },
    ]);
    pod(fields)
}

fn holder_of(pod: &skep_api::Pod) -> ContainerSpec {
    holder(pod, &inputs(&ImageInfo::default(), &Dns::default())).expect("a spec")
}

#[test]
fn containers_of_a_pod_join_their_holder_and_leave_the_rest_to_it() {
    let pod = two(json!({
        "hostname": "front", "shareProcessNamespace": true,
        "hostAliases": [{ "ip": "192.0.2.7", "hostnames": ["db", "db.internal"] }],
        "securityContext": { "sysctls": [{ "name": "net.core.somaxconn", "value": "99" }] },
    }));
    let member = build(&pod, |inputs| Inputs {
        holder: Some("4f3c"),
        ..inputs
    })
    .expect("a spec");
    assert_eq!(member.network, NetworkMode::Container("4f3c".to_owned()));
    assert_eq!(
        (member.ipc_mode.as_str(), member.pid_mode.as_str()),
        ("container:4f3c", "container:4f3c")
    );
    assert_eq!(
        (
            member.hostname.as_str(),
            member.ports.len(),
            member.extra_hosts.len()
        ),
        ("", 0, 0)
    );
    assert!(member.sysctls.is_empty());

    let holder = holder_of(&pod);
    assert_eq!(holder.name, "skep_holder_web_shop_0f3b8c1e_2");
    assert_eq!(
        (
            holder.image.as_str(),
            holder.labels["skep.io/container-kind"].as_str()
        ),
        (HOLDER_IMAGE, "holder")
    );
    assert!(matches!(holder.network, NetworkMode::Bridge { .. }));
    assert_eq!(
        (holder.hostname.as_str(), holder.ipc_mode.as_str()),
        ("front", "shareable")
    );
    assert_eq!(holder.extra_hosts, ["db:192.0.2.7", "db.internal:192.0.2.7"]);
    assert_eq!(holder.sysctls["net.core.somaxconn"], "99");
    expect![[r#"
        [
            PortMapping {
                container: 80,
                host: 8080,
                host_ip: "",
                protocol: "tcp",
            },
            PortMapping {
                container: 53,
                host: 53,
                host_ip: "127.0.0.1",
                protocol: "udp",
            },
        ]
    "#]]
    .assert_debug_eq(&holder.ports);
}

#[test]
fn containers_wait_for_their_holder() {
    assert_eq!(first(&two(json!({}))), Err(SpecError::NoHolder));
}

#[test]
fn processes_are_shared_only_where_the_pod_says_so() {
    let spec = build(&two(json!({})), |inputs| Inputs {
        holder: Some("4f3c"),
        ..inputs
    })
    .expect("a spec");
    assert_eq!(spec.pid_mode, "");
}

#[test]
fn a_lone_container_owns_its_namespaces() {
    let pod =
        pod_of(json!({ "ports": [{ "containerPort": 80, "hostPort": 8080 }, { "containerPort": 81 }] }));
    let spec = first(&pod).expect("a spec");
    assert_eq!(
        (
            spec.hostname.as_str(),
            spec.ipc_mode.as_str(),
            spec.pid_mode.as_str()
        ),
        ("web", "", "")
    );
    assert_eq!(
        spec.ports.len(),
        1,
        "ports of the container alone take none of the node's"
    );
}

#[test]
fn an_init_container_has_the_pods_address_but_not_its_ports() {
    let pod = pod_of(json!({ "ports": [{ "containerPort": 80, "hostPort": 8080 }] }));
    let spec = build(&pod, |inputs| Inputs {
        kind: ContainerKind::Init,
        ..inputs
    })
    .expect("a spec");
    assert!(matches!(spec.network, NetworkMode::Bridge { .. }));
    assert!(spec.ports.is_empty());
}

#[test]
fn a_pod_on_the_nodes_network_has_nothing_of_its_own() {
    let mut pod = two(json!({ "hostNetwork": true, "hostPID": true, "hostIPC": true }));
    let spec = build(&pod, |inputs| Inputs {
        holder: Some("4f3c"),
        ..inputs
    })
    .expect("a spec");
    assert_eq!(spec.network, NetworkMode::Host);
    assert_eq!(
        (
            spec.hostname.as_str(),
            spec.ipc_mode.as_str(),
            spec.pid_mode.as_str()
        ),
        ("", "host", "host")
    );
    assert!(spec.ports.is_empty());
    assert!(!spec.labels.contains_key("skep.io/pod-address"));
    assert_eq!(holder_of(&pod).network, NetworkMode::Host);
    pod.spec.containers.truncate(1);
    build(&pod, |inputs| Inputs {
        address: None,
        ..inputs
    })
    .expect("it needs no address");
}

#[test]
fn a_pod_of_its_own_network_needs_an_address() {
    let spec = build(&pod_of(json!({})), |inputs| Inputs {
        address: None,
        ..inputs
    });
    assert_eq!(spec, Err(SpecError::NoAddress));
}

#[test]
fn a_long_name_is_cut_to_a_host_name() {
    let mut pod = pod_of(json!({}));
    pod.metadata.name = format!("{}-{}", "a".repeat(62), "b".repeat(20));
    assert_eq!(first(&pod).expect("a spec").hostname, "a".repeat(62));
}

#[test]
fn kernel_settings_of_the_node_are_refused() {
    let with = |name: &str, field: &str| {
        let mut pod = pod(json!({
            "securityContext": { "sysctls": [{ "name": name, "value": "1" }] },
            "containers": [{ "name": "web", "image": "web" }],
        }));
        match field {
            "hostNetwork" => pod.spec.host_network = true,
            "hostIPC" => pod.spec.host_ipc = true,
            _ => {}
        }
        first(&pod).map(|spec| spec.sysctls)
    };
    assert_eq!(
        with("net/core/somaxconn", "").expect("its own")["net.core.somaxconn"],
        "1"
    );
    assert_eq!(with("net.core.somaxconn", "hostIPC").expect("its own").len(), 1);
    assert_eq!(
        with("net.core.somaxconn", "hostNetwork"),
        Err(SpecError::HostSysctl("net.core.somaxconn".to_owned()))
    );
    assert_eq!(
        with("kernel.shmmax", "hostIPC"),
        Err(SpecError::HostSysctl("kernel.shmmax".to_owned()))
    );
}

#[test]
fn names_are_looked_up_where_policy_and_configuration_say() {
    let node = Dns::parse(
        "# made\nnameserver 192.0.2.53\nnameserver 127.0.0.53\nsearch lan home\noptions ndots:1 rotate\n",
    );
    let dns = |fields: Value| {
        let mut pod_fields = fields;
        pod_fields["containers"] = json!([{ "name": "web", "image": "web" }]);
        let pod = pod(pod_fields);
        let spec = container(
            &pod,
            &pod.spec.containers[0],
            &inputs(&ImageInfo::default(), &node),
        )
        .expect("a spec");
        let (servers, searches, options) = spec.dns;
        format!(
            "{} | {} | {}",
            servers.join(" "),
            searches.join(" "),
            options.join(" ")
        )
    };
    let config = json!({ "nameservers": ["192.0.2.99"], "searches": ["svc"], "options": [{ "name": "ndots", "value": "5" }] });
    assert_eq!(dns(json!({})), " |  | ", "the engine looks where the node looks");
    assert_eq!(dns(json!({ "dnsPolicy": "Default" })), " |  | ");
    assert_eq!(
        dns(json!({ "dnsConfig": config })),
        "192.0.2.53 192.0.2.99 | lan home svc | rotate ndots:5"
    );
    assert_eq!(
        dns(json!({ "dnsPolicy": "None", "dnsConfig": config })),
        "192.0.2.99 | svc | ndots:5"
    );
    assert_eq!(
        dns(json!({ "dnsPolicy": "None", "dnsConfig": { "nameservers": ["192.0.2.99"] } })),
        "192.0.2.99 | . | "
    );
    assert_eq!(
        dns(json!({ "hostNetwork": true, "dnsConfig": { "nameservers": ["192.0.2.99"] } })),
        "192.0.2.53 127.0.0.53 192.0.2.99 |  | ",
        "the node's own resolver can be reached from the node's network"
    );
}
