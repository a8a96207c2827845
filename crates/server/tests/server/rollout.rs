//! From a manifest to running pods, with an agent that runs nothing.

use expect_test::expect;
use serde_json::{Value, json};
use skep_api::{convert, proto};

use crate::{
    agent::{Agent, Behaviour, node_document},
    harness::{Ask, Server, deployment, pod},
};

fn available(count: i64) -> impl Fn(&Value) -> bool {
    move |web| web["status"]["availableReplicas"] == count && web["status"]["updatedReplicas"] == count
}

#[tokio::test]
async fn a_deployment_becomes_available_and_rolls_to_its_next_version() {
    let server = Server::start().await;
    let client = server.client();
    let _agent = Agent::connect(&server.channel, "a").await;
    client.apply_doc(deployment("web", 3)).await.unwrap();
    client.until("deployment", "web", available(3)).await;
    let mut next = deployment("web", 3);
    next["spec"]["template"]["spec"]["containers"][0]["image"] = json!("busybox:2");
    client.apply_doc(next).await.unwrap();
    client
        .until("deployment", "web", |web| {
            web["status"]["observedGeneration"] == 2
                && web["status"]["replicas"] == 3
                && web["status"]["updatedReplicas"] == 3
                && web["status"]["availableReplicas"] == 3
        })
        .await;
    let pods = client.docs("pods", "app=web").await;
    let alive: Vec<_> = pods
        .iter()
        .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null())
        .collect();
    assert_eq!(alive.len(), 3);
    for pod in alive {
        assert_eq!(pod["spec"]["containers"][0]["image"], "busybox:2");
        assert_eq!(pod["spec"]["nodeName"], "a");
        let scheduled = &pod["status"]["conditions"][0];
        assert_eq!(
            (&scheduled["type"], &scheduled["status"]),
            (&json!("PodScheduled"), &json!("True"))
        );
    }
    assert_eq!(client.docs("replicasets", "app=web").await.len(), 2);
}

#[tokio::test]
async fn a_pod_that_fits_nowhere_says_why_until_a_node_has_room() {
    let server = Server::start().await;
    let mut client = server.client();
    let _small = Agent::connect_as(&server.channel, node_document("small", "1"), Behaviour::Runs)
        .await
        .unwrap();
    client.create_doc(pod("hungry", "3")).await.unwrap();
    let stuck = client
        .until("pod", "hungry", |pod| {
            pod["status"]["conditions"][0]["status"] == "False"
        })
        .await;
    let condition = &stuck["status"]["conditions"][0];
    assert_eq!(
        (&condition["type"], &condition["reason"]),
        (&json!("PodScheduled"), &json!("Unschedulable"))
    );
    expect!["0/1 nodes fit: 1 has too little cpu (3 wanted, 1 free at most); it can never fit: 3 cpu wanted, the largest node has 1"]
        .assert_eq(condition["message"].as_str().unwrap());
    let events = proto::ListRequest {
        kind: "events".to_owned(),
        field_selector: "involvedObject.name=hungry,reason=FailedScheduling".to_owned(),
        ..Default::default()
    };
    let told = client.list(events.clone()).await.unwrap().into_inner().items;
    assert_eq!(told.len(), 1);
    assert_eq!(convert::value_from_struct(told[0].clone())["type"], "Warning");
    let _large = Agent::connect(&server.channel, "large").await;
    let placed = client
        .until("pod", "hungry", |pod| pod["status"]["phase"] == "Running")
        .await;
    assert_eq!(placed["spec"]["nodeName"], "large");
    let told = client.list(events).await.unwrap().into_inner().items;
    assert_eq!(
        convert::value_from_struct(told[0].clone())["count"],
        1,
        "the same is not told twice"
    );
}

#[tokio::test]
async fn a_hundred_pods_are_made_and_bound_in_a_handful_of_entries() {
    let server = Server::start().await;
    let client = server.client();
    for node in ["a", "b"] {
        let _gone_again =
            Agent::connect_as(&server.channel, node_document(node, "64"), Behaviour::Watches).await;
    }
    client.apply_doc(deployment("web", 100)).await.unwrap();
    client
        .until("replicaset", &only_replica_set(&server).await, |set| {
            set["status"]["replicas"] == 100
        })
        .await;
    let unbound = async || {
        let pods = client.docs("pods", "app=web").await;
        pods.iter()
            .filter(|pod| pod["spec"]["nodeName"].is_null())
            .count()
    };
    let mut watch = client
        .clone()
        .watch(proto::WatchRequest {
            kind: "pods".into(),
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner();
    while unbound().await > 0 {
        crate::harness::within(watch.message()).await.unwrap();
    }
}

async fn only_replica_set(server: &Server) -> String {
    let request = proto::WatchRequest {
        kind: "replicasets".to_owned(),
        ..Default::default()
    };
    let mut sets = server.client().watch(request).await.unwrap().into_inner();
    let set = crate::harness::within(sets.message()).await.unwrap().unwrap();
    convert::value_from_struct(set.object.unwrap())["metadata"]["name"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn the_leader_goes_on_where_it_stopped() {
    let server = Server::start().await;
    server.client().apply_doc(deployment("web", 2)).await.unwrap();
    let server = Server::start_in(server.stop().await, |_| {}).await;
    let _agent = Agent::connect(&server.channel, "a").await;
    server.client().until("deployment", "web", available(2)).await;
}
