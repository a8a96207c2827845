//! How objects end.

use serde_json::{Value, json};
use skep_api::proto::{DeleteRequest, Propagation};
use tonic::Code;

use crate::{
    agent::{Agent, Behaviour, node_document, pod_report},
    harness::{Ask, Server, config_map, deployment, object_ref, pod, refusal},
};
use skep_api::proto::{PodReports, agent_message::Message as Up};

#[tokio::test]
async fn a_namespace_goes_with_everything_in_it() {
    let server = Server::start().await;
    let client = server.client();
    let _agent = Agent::connect(&server.channel, "a").await;
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } });
    client.create_doc(namespace).await.unwrap();
    let mut web = deployment("web", 2);
    web["metadata"]["namespace"] = json!("shop");
    client.create_doc(web).await.unwrap();
    client
        .until("deployment", "web", |web| web["status"]["availableReplicas"] == 2)
        .await;
    let ending = client.delete_named("namespace", "shop").await.unwrap();
    assert!(!ending.gone, "its contents hold it");
    let mut late = config_map("late", "1");
    late["metadata"]["namespace"] = json!("shop");
    let status = client.create_doc(late).await.unwrap_err();
    assert!(
        [Code::PermissionDenied, Code::NotFound].contains(&status.code()),
        "{status:?}"
    );
    client.until("namespace", "shop", Value::is_null).await;
    for kind in ["pods", "replicasets", "deployments"] {
        assert!(client.docs(kind, "").await.is_empty(), "{kind} are left");
    }
}

#[tokio::test]
async fn the_namespaces_that_every_cluster_has_stay() {
    let server = Server::start().await;
    let client = server.client();
    for name in ["default", "kube-system"] {
        let status = client.delete_named("ns", name).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied);
        assert!(
            refusal(&status).contains("this namespace may not be deleted"),
            "{status:?}"
        );
    }
}

#[tokio::test]
async fn in_the_foreground_the_pods_go_before_the_deployment() {
    let server = Server::start().await;
    let mut client = server.client();
    let agent = Agent::connect_as(&server.channel, node_document("a", "4"), Behaviour::Watches)
        .await
        .unwrap();
    client.create_doc(deployment("web", 1)).await.unwrap();
    let web = client
        .until("deployment", "web", |web| web["status"]["replicas"] == 1)
        .await;
    let pods = client.docs("pods", "app=web").await;
    let name = pods[0]["metadata"]["name"].as_str().unwrap();
    let pod = client
        .until("pod", name, |pod| pod["spec"]["nodeName"] == "a")
        .await;
    let request = DeleteRequest {
        r#ref: object_ref("deployment", "web"),
        propagation: Propagation::Foreground.into(),
        ..Default::default()
    };
    assert!(!client.delete(request).await.unwrap().into_inner().gone);
    client
        .until("pod", name, |pod| {
            pod["metadata"]["deletionTimestamp"].is_string()
        })
        .await;
    let held = client.doc("deployment", "web").await.unwrap();
    assert_eq!(held["metadata"]["uid"], web["metadata"]["uid"]);
    assert_eq!(held["metadata"]["finalizers"], json!(["foregroundDeletion"]));
    agent
        .send(Up::Pods(PodReports {
            pods: vec![pod_report(&pod, None)],
        }))
        .await;
    client.until("deployment", "web", Value::is_null).await;
    assert!(client.docs("pods", "").await.is_empty());
}

#[tokio::test]
async fn a_bound_pod_ends_gracefully_and_goes_when_its_node_says_so() {
    let server = Server::start().await;
    let client = server.client();
    let mut agent = Agent::connect_as(&server.channel, node_document("a", "4"), Behaviour::Watches)
        .await
        .unwrap();
    client.create_doc(pod("web", "1")).await.unwrap();
    let bound = client
        .until("pod", "web", |pod| pod["spec"]["nodeName"] == "a")
        .await;
    assert!(!client.delete_named("pod", "web").await.unwrap().gone);
    agent
        .until(|seen| {
            seen.assigned
                .get("Pod/default/web")
                .is_some_and(|pod| pod["metadata"]["deletionTimestamp"].is_string())
        })
        .await;
    agent
        .send(Up::Pods(PodReports {
            pods: vec![pod_report(&bound, None)],
        }))
        .await;
    client.until("pod", "web", Value::is_null).await;
    agent
        .until(|seen| !seen.assigned.contains_key("Pod/default/web"))
        .await;
}

#[tokio::test]
async fn a_deletion_is_refused_where_the_object_is_another_one() {
    let server = Server::start().await;
    let mut client = server.client();
    client.create_doc(config_map("a", "1")).await.unwrap();
    let request = |uid: &str, revision: &str| DeleteRequest {
        r#ref: object_ref("cm", "a"),
        uid: uid.to_owned(),
        resource_version: revision.to_owned(),
        ..Default::default()
    };
    assert_eq!(
        client.delete(request("other", "")).await.unwrap_err().code(),
        Code::Aborted
    );
    assert_eq!(
        client.delete(request("", "1")).await.unwrap_err().code(),
        Code::Aborted
    );
    let negative = DeleteRequest {
        grace_period_seconds: Some(-1),
        ..request("", "")
    };
    assert_eq!(
        client.delete(negative).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    assert!(client.delete(request("", "")).await.unwrap().into_inner().gone);
}
