//! What agents are told, and what is made of what they say.

use serde_json::json;
use skep_api::convert;
use skep_api::proto::{EventReport, EventReports, PodReports, agent_message::Message as Up};
use tonic::Code;

use crate::{
    agent::{Agent, Behaviour, node_document, pod_report, ready_status},
    harness::{Ask, Server, pod, refusal},
};

async fn watching(server: &Server, node: &str) -> Agent {
    Agent::connect_as(&server.channel, node_document(node, "4"), Behaviour::Watches)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_node_registers_and_gets_addresses_for_its_pods() {
    let server = Server::start().await;
    let client = server.client();
    let mut agent = watching(&server, "a").await;
    let node = client
        .until("node", "a", |node| node["spec"]["podCIDR"].is_string())
        .await;
    assert_eq!(node["status"]["allocatable"]["cpu"], "4");
    agent
        .until(|seen| {
            seen.assigned
                .get("Node//a")
                .is_some_and(|node| node["spec"]["podCIDR"].is_string())
        })
        .await;
    client
        .patch_doc(
            "node",
            "a",
            json!({ "metadata": { "labels": { "disk": "fast" } } }),
        )
        .await
        .unwrap();
    drop(agent);
    let _again = watching(&server, "a").await;
    let again = client.doc("node", "a").await.unwrap();
    assert_eq!(again["metadata"]["uid"], node["metadata"]["uid"]);
    assert_eq!(again["spec"]["podCIDR"], node["spec"]["podCIDR"]);
    assert_eq!(again["metadata"]["labels"]["disk"], "fast");
}

#[tokio::test]
async fn heartbeats_are_acknowledged_and_never_written() {
    let server = Server::start().await;
    let client = server.client();
    let mut agent = watching(&server, "a").await;
    let before = client
        .until("node", "a", |node| node["spec"]["podCIDR"].is_string())
        .await;
    for _ in 0..3 {
        agent.heartbeat().await;
    }
    agent
        .send(Up::Node(
            convert::struct_from_value(node_document("a", "4")).unwrap(),
        ))
        .await;
    agent.until(|seen| seen.acked == 4).await;
    let after = client.doc("node", "a").await.unwrap();
    assert_eq!(
        after["metadata"]["resourceVersion"],
        before["metadata"]["resourceVersion"]
    );
    agent
        .send(Up::Node(
            convert::struct_from_value(node_document("a", "8")).unwrap(),
        ))
        .await;
    client
        .until("node", "a", |node| node["status"]["allocatable"]["cpu"] == "8")
        .await;
}

#[tokio::test]
async fn secrets_go_only_to_the_node_whose_pod_names_them() {
    let server = Server::start().await;
    let client = server.client();
    let (mut a, mut b) = (watching(&server, "a").await, watching(&server, "b").await);
    for name in ["for-a", "for-nobody"] {
        let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "stringData": { "k": "v" } });
        client.create_doc(secret).await.unwrap();
    }
    let mut web = pod("web", "1");
    web["spec"]["nodeSelector"] = json!({ "kubernetes.io/hostname": "a" });
    web["spec"]["volumes"] = json!([{ "name": "s", "secret": { "secretName": "for-a" } }]);
    client.create_doc(web).await.unwrap();
    let seen = a
        .until(|seen| seen.assigned.contains_key("Pod/default/web"))
        .await;
    let names: Vec<_> = seen.assigned.keys().map(String::as_str).collect();
    assert_eq!(names, ["Node//a", "Pod/default/web", "Secret/default/for-a"]);
    client
        .patch_doc(
            "node",
            "b",
            json!({ "metadata": { "labels": { "told": "yes" } } }),
        )
        .await
        .unwrap();
    let seen = b
        .until(|seen| seen.assigned["Node//b"]["metadata"]["labels"]["told"] == "yes")
        .await;
    assert_eq!(seen.assigned.len(), 1, "{:?}", seen.assigned.keys());
}

#[tokio::test]
async fn only_the_node_of_a_pod_may_say_how_it_is() {
    let server = Server::start().await;
    let client = server.client();
    let (a, mut b) = (watching(&server, "a").await, watching(&server, "b").await);
    let mut web = pod("web", "1");
    web["spec"]["nodeSelector"] = json!({ "kubernetes.io/hostname": "a" });
    client.create_doc(web).await.unwrap();
    let web = client
        .until("pod", "web", |pod| pod["spec"]["nodeName"] == "a")
        .await;
    b.report(&web, ready_status(&web)).await;
    b.send(Up::Pods(PodReports {
        pods: vec![pod_report(&web, None)],
    }))
    .await;
    b.until(|seen| seen.acked == 2).await;
    let mut other = web.clone();
    other["metadata"]["uid"] = json!("another");
    a.report(&other, json!({ "phase": "Failed" })).await;
    assert_eq!(
        client.doc("pod", "web").await.unwrap()["status"]["phase"],
        web["status"]["phase"]
    );
    a.report(&web, ready_status(&web)).await;
    let running = client
        .until("pod", "web", |pod| pod["status"]["phase"] == "Running")
        .await;
    assert_eq!(
        running["status"]["conditions"][0]["type"], "PodScheduled",
        "the scheduler's condition stays"
    );
}

#[tokio::test]
async fn an_agent_is_asked_after_pods_that_were_taken_for_lost_once_it_had_told_all() {
    let server = Server::start().await;
    let client = server.client();
    let mut agent = watching(&server, "a").await;
    client.create_doc(pod("web", "1")).await.unwrap();
    let web = client
        .until("pod", "web", |pod| pod["spec"]["nodeName"] == "a")
        .await;
    agent.report(&web, ready_status(&web)).await;
    agent.heartbeat().await;
    let seen = agent.until(|seen| seen.acked == 2).await;
    assert_eq!(seen.asked_again, 0);
    // What a leader writes that had not heard of the node for long, in the words that it writes.
    let mut lost = ready_status(&web);
    for condition in lost["conditions"].as_array_mut().unwrap() {
        if condition["type"] == "Ready" {
            condition["status"] = json!("False");
            condition["reason"] = json!("NodeNotReady");
        }
    }
    agent.report(&web, lost).await;
    agent.until(|seen| seen.acked == 3).await;
    agent.heartbeat().await;
    agent.until(|seen| seen.asked_again == 1).await;
    agent.report(&web, ready_status(&web)).await;
    agent.until(|seen| seen.acked == 5).await;
    agent.heartbeat().await;
    let seen = agent.until(|seen| seen.acked == 6).await;
    assert_eq!(seen.asked_again, 1, "it has answered");
}

#[tokio::test]
async fn the_newest_session_of_a_node_takes_the_place_of_the_one_before() {
    let server = Server::start().await;
    let older = watching(&server, "a").await;
    let mut newer = watching(&server, "a").await;
    let end = older.ended().await.unwrap_err();
    assert_eq!(end.code(), Code::Aborted);
    newer.heartbeat().await;
    newer.until(|seen| seen.acked == 1).await;
}

#[tokio::test]
async fn what_happens_on_a_node_is_recorded_and_counted() {
    let server = Server::start().await;
    let client = server.client();
    let mut agent = watching(&server, "a").await;
    client.create_doc(pod("web", "1")).await.unwrap();
    let web = client
        .until("pod", "web", |pod| pod["spec"]["nodeName"] == "a")
        .await;
    let report = EventReport {
        kind: "Pod".to_owned(),
        namespace: "default".to_owned(),
        name: "web".to_owned(),
        uid: web["metadata"]["uid"].as_str().unwrap().to_owned(),
        field_path: "spec.containers{main}".to_owned(),
        warning: true,
        reason: "BackOff".to_owned(),
        message: "Back-off restarting failed container".to_owned(),
        time_millis: 0,
    };
    for count in 1..=2 {
        agent
            .send(Up::Events(EventReports {
                events: vec![report.clone()],
            }))
            .await;
        agent.until(|seen| seen.acked == count).await;
    }
    let events = client.docs("events", "").await;
    let backoff: Vec<_> = events
        .iter()
        .filter(|event| event["reason"] == "BackOff")
        .collect();
    assert_eq!(backoff.len(), 1, "{events:?}");
    assert_eq!(
        (&backoff[0]["count"], &backoff[0]["source"]["host"]),
        (&json!(2), &json!("a"))
    );
}

#[tokio::test]
async fn sessions_that_make_no_sense_are_refused() {
    let server = Server::start().await;
    let connect = async |node| {
        Agent::connect_as(&server.channel, node, Behaviour::Watches)
            .await
            .err()
            .unwrap()
    };
    let status = connect(node_document("Not A Name", "1")).await;
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(refusal(&status).contains("metadata.name"), "{status:?}");
    let mut no_node = node_document("a", "1");
    no_node["kind"] = json!("Namespace");
    no_node.as_object_mut().unwrap().remove("status");
    assert!(refusal(&connect(no_node).await).contains("is a Namespace, not a Node"));
}

#[tokio::test]
async fn a_node_that_is_deleted_ends_its_session_and_may_register_again() {
    let server = Server::start().await;
    let client = server.client();
    let agent = watching(&server, "a").await;
    client.delete_named("node", "a").await.unwrap();
    agent.heartbeat().await;
    assert_eq!(agent.ended().await.unwrap_err().code(), Code::Unavailable);
    let _again = watching(&server, "a").await;
    assert!(client.doc("node", "a").await.is_ok());
}
