//! Pods from their document to what their processes see: `spec`, `volumes` and the engine together.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use skep_agent::{
    runtime::{ImageInfo, Network, Runtime},
    spec::{self, ContainerKind, Dns, Facts, Grant, Inputs, Sources, env, needs_holder},
    volumes::Volumes,
};
use skep_api::{ConfigMap, Pod, Secret};
use tempfile::TempDir;

use crate::engine::{Engine, until};

/// A node with one pod.
struct Node {
    engine: Engine,
    network: Network,
    data: TempDir,
    volumes: Volumes,
    sources: Documents,
    facts: Facts,
    pod: Pod,
}

#[derive(Default)]
struct Documents {
    config_maps: BTreeMap<String, Arc<ConfigMap>>,
    secrets: BTreeMap<String, Arc<Secret>>,
}

impl Sources for Documents {
    fn config_map(&self, _: &str, name: &str) -> Option<Arc<ConfigMap>> {
        self.config_maps.get(name).cloned()
    }

    fn secret(&self, _: &str, name: &str) -> Option<Arc<Secret>> {
        self.secrets.get(name).cloned()
    }
}

impl Node {
    async fn new(spec: serde_json::Value) -> Self {
        let engine = Engine::new().await;
        let network = engine.network().await;
        let data = tempfile::tempdir().expect("a folder");
        let volumes = Volumes::new(data.path());
        let [a, b, c, _] = network.gateway.expect("it has one").octets();
        let facts = Facts {
            node_name: "node-1".to_owned(),
            host_ip: "192.0.2.1".to_owned(),
            pod_address: Some(Ipv4Addr::new(a, b, c, 9)),
            ..Facts::default()
        };
        let document = serde_json::json!({
            "metadata": { "name": "web", "namespace": "shop", "uid": "0f3b8c1e-0000-4000-8000-000000000001", "labels": { "app": "web" } },
            "spec": spec,
        });
        let pod = serde_json::from_value(document).expect("a pod");
        Self {
            engine,
            network,
            data,
            volumes,
            sources: Documents::default(),
            facts,
            pod,
        }
    }

    fn config_map(&mut self, name: &str, key: &str, value: &str) {
        let data = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        self.sources.config_maps.insert(
            name.to_owned(),
            Arc::new(ConfigMap {
                data,
                ..ConfigMap::default()
            }),
        );
    }

    fn secret(&mut self, name: &str, key: &str, base64: &str) {
        let data = BTreeMap::from([(key.to_owned(), base64.to_owned())]);
        self.sources.secrets.insert(
            name.to_owned(),
            Arc::new(Secret {
                data,
                ..Secret::default()
            }),
        );
    }

    /// Starts the pod's holder, if it has one, and all its containers; answers with their ids.
    async fn start(&self) -> Vec<String> {
        self.volumes
            .set_up(&self.pod, &self.sources, &self.facts)
            .expect("volumes");
        let (image, dns) = (ImageInfo::default(), Dns::default());
        let mut inputs = self.inputs(&image, &dns);
        let holder = if needs_holder(&self.pod) {
            Some(self.start_holder(&inputs).await)
        } else {
            None
        };
        inputs.holder = holder.as_deref();
        let mut ids = Vec::new();
        for container in &self.pod.spec.containers {
            let vars = env::resolve(&self.pod, container, &self.sources, &self.facts)
                .expect("variables")
                .vars;
            let mounts = self.volumes.mounts(&self.pod, container, 0).expect("mounts");
            let inputs = Inputs {
                env: &vars,
                mounts,
                ..inputs.clone()
            };
            let mut spec = spec::container(&self.pod, container, &inputs).expect("a spec");
            spec.image = self.engine.image();
            spec.labels.extend(self.engine.labels());
            spec.name = format!("{}-{}", self.engine.script("").name, container.name);
            ids.push(self.engine.run(&spec).await);
        }
        ids
    }

    async fn start_holder(&self, inputs: &Inputs<'_>) -> String {
        self.engine.docker.ensure_holder_image().await.expect("an image");
        let mut spec = spec::holder(&self.pod, inputs).expect("a spec");
        spec.labels.extend(self.engine.labels());
        spec.name = format!("{}-holder", self.engine.script("").name);
        self.engine.run(&spec).await
    }

    fn inputs<'a>(&'a self, image: &'a ImageInfo, dns: &'a Dns) -> Inputs<'a> {
        Inputs {
            cluster: "test",
            node: &self.facts.node_name,
            kind: ContainerKind::App,
            attempt: 0,
            env: &[],
            image,
            mounts: Vec::new(),
            network: &self.network.name,
            address: self.facts.pod_address,
            holder: None,
            seccomp_profile: None,
            dns,
            grant: Grant::default(),
            node_memory_bytes: 1 << 30,
            log_bytes_max: 1 << 20,
        }
    }

    async fn shell(&self, id: &str, script: &str) -> String {
        self.engine
            .exec(id, &["/bin/busybox", "sh", "-c", script])
            .await
            .0
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Err(error) = self.volumes.tear_down(&self.pod.metadata.uid) {
            eprintln!("{}: {error}", self.data.path().display());
        }
    }
}

fn sleeping(name: &str) -> serde_json::Value {
    serde_json::json!({
        "name": name, "image": "busybox",
        "command": ["/bin/busybox", "sleep"], "args": ["1000"],
        "env": [{ "name": "PATH", "value": "/bin" }],
    })
}

#[tokio::test]
async fn two_containers_of_a_pod_share_address_host_name_and_memory() {
    let node = Node::new(serde_json::json!({ "containers": [sleeping("a"), sleeping("b")] })).await;
    let ids = node.start().await;
    let [a, b] = ids.as_slice() else {
        panic!("two containers")
    };
    let address = node.facts.pod_address.expect("it has one");
    assert_eq!(
        node.shell(a, "busybox hostname; busybox hostname -i").await,
        format!("web\n{address}\n")
    );
    node.shell(a, "(echo hello | busybox nc -l -p 8080) >/dev/null 2>&1 &")
        .await;
    until("the other one reaches it on localhost", || async {
        (node.shell(b, "busybox nc -w 1 127.0.0.1 8080").await == "hello\n").then_some(())
    })
    .await;
    node.shell(a, "echo shared > /dev/shm/note").await;
    assert_eq!(node.shell(b, "busybox cat /dev/shm/note").await, "shared\n");
    assert_eq!(
        node.shell(b, "busybox ps | busybox grep -c '[s]leep 1000'").await,
        "1\n",
        "processes are apart"
    );
}

#[tokio::test]
async fn the_holder_of_a_shared_process_namespace_leaves_no_zombies() {
    let spec =
        serde_json::json!({ "shareProcessNamespace": true, "containers": [sleeping("a"), sleeping("b")] });
    let node = Node::new(spec).await;
    let ids = node.start().await;
    let first = node
        .shell(&ids[0], "busybox tr '\\0' ' ' < /proc/1/cmdline")
        .await;
    assert_eq!(first, "/hold ", "the holder is the first process");
    assert_eq!(
        node.shell(&ids[1], "busybox ps | busybox grep -c '[s]leep 1000'")
            .await,
        "2\n"
    );
    // The subshell ends before its child, which becomes the holder's, and ends too.
    node.shell(&ids[0], "(busybox sleep 0.1 & )").await;
    until("no process is left over", || async {
        let zombies = node
            .shell(&ids[1], "busybox grep -l '^State:.*zombie' /proc/[0-9]*/status")
            .await;
        let sleeping = node
            .shell(&ids[1], "busybox ps | busybox grep '[s]leep 0.1'")
            .await;
        (zombies.is_empty() && sleeping.is_empty()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_running_container_sees_a_config_map_change_but_not_by_sub_path() {
    let mut container = sleeping("web");
    container["volumeMounts"] = serde_json::json!([
        { "name": "settings", "mountPath": "/etc/web" },
        { "name": "settings", "mountPath": "/etc/fixed", "subPath": "color" },
    ]);
    let spec = serde_json::json!({
        "containers": [container],
        "volumes": [{ "name": "settings", "configMap": { "name": "web" } }],
    });
    let mut node = Node::new(spec).await;
    node.config_map("web", "color", "red");
    let ids = node.start().await;
    assert_eq!(
        node.shell(&ids[0], "busybox cat /etc/web/color /etc/fixed").await,
        "redred"
    );
    node.config_map("web", "color", "green");
    assert_eq!(
        node.volumes.refresh(&node.pod, &node.sources, &node.facts),
        Ok(true)
    );
    assert_eq!(
        node.shell(
            &ids[0],
            "busybox cat /etc/web/color; echo; busybox cat /etc/fixed"
        )
        .await,
        "green\nred"
    );
    let refused = node.shell(&ids[0], "echo x > /etc/web/color").await;
    assert!(refused.contains("Read-only file system"), "{refused}");
}

#[tokio::test]
async fn variables_files_and_last_words_of_a_container() {
    let script = "echo \"$GREETING from $NODE\"; cat /secrets/token /pod/labels; echo; echo bye > /dev/termination-log";
    let spec = serde_json::json!({
        "securityContext": { "runAsUser": 1000, "fsGroup": 2000 },
        "containers": [{
            "name": "web", "image": "busybox", "command": ["/bin/busybox", "sh", "-c", script],
            "env": [
                { "name": "PATH", "value": "/bin" },
                { "name": "WHO", "valueFrom": { "secretKeyRef": { "name": "access", "key": "token" } } },
                { "name": "GREETING", "value": "hello $(WHO) $$(WHO)" },
                { "name": "NODE", "valueFrom": { "fieldRef": { "fieldPath": "spec.nodeName" } } },
            ],
            "volumeMounts": [
                { "name": "access", "mountPath": "/secrets" },
                { "name": "pod", "mountPath": "/pod" },
            ],
        }],
        "volumes": [
            { "name": "access", "secret": { "secretName": "access" } },
            { "name": "pod", "downwardAPI": { "items": [{ "path": "labels", "fieldRef": { "fieldPath": "metadata.labels" } }] } },
        ],
    });
    let mut node = Node::new(spec).await;
    node.secret("access", "token", "czNjcmV0");
    let ids = node.start().await;
    assert_eq!(node.engine.ended(&ids[0]).await, (0, false));
    assert_eq!(
        node.engine.log(&ids[0]).await,
        "hello s3cret $(WHO) from node-1\ns3cretapp=\"web\"\n"
    );
    assert_eq!(
        node.volumes.termination_message(&node.pod.metadata.uid, "web", 0),
        "bye\n"
    );
}
