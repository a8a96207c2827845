//! Tiers, quotas, limits, evictions and plans over the wire.

use serde_json::{Value, json};
use skep_api::{
    convert,
    proto::{self, WriteResult},
    status,
};
use tonic::Status;

use crate::{
    agent::Agent,
    harness::{Ask, Client, Server, deployment, document, pod, refusal},
};

fn of(api_version: &str, kind: &str, name: &str, spec: &Value) -> Value {
    json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": name }, "spec": spec })
}

fn tiered(name: &str, tier: &str) -> Value {
    let mut pod = pod(name, "100m");
    pod["metadata"]["labels"]["skep.io/tier"] = tier.into();
    pod["spec"]["containers"][0]["resources"] = json!({ "limits": { "cpu": "1", "memory": "1Gi" } });
    pod
}

async fn evict(client: &Client, pod: &str, start_first: bool) -> Result<proto::EvictResponse, Status> {
    let request = proto::EvictRequest {
        pod: pod.to_owned(),
        start_first,
        ..Default::default()
    };
    client
        .clone()
        .evict(request)
        .await
        .map(tonic::Response::into_inner)
}

async fn plan(client: &Client, documents: Vec<Value>) -> proto::PlanResponse {
    let request = proto::PlanRequest {
        objects: documents
            .into_iter()
            .filter_map(convert::struct_from_value)
            .collect(),
        ..Default::default()
    };
    client.clone().plan(request).await.unwrap().into_inner()
}

async fn apply_plan(
    client: &Client,
    documents: Vec<Value>,
    revision: &str,
) -> Result<Vec<WriteResult>, Status> {
    let request = proto::ApplyPlanRequest {
        objects: documents
            .into_iter()
            .filter_map(convert::struct_from_value)
            .collect(),
        revision: revision.to_owned(),
        ..Default::default()
    };
    let response = client.clone().apply_plan(request).await?.into_inner();
    Ok(response
        .written
        .iter()
        .map(proto::WriteResponse::result)
        .collect())
}

#[tokio::test]
async fn a_cluster_comes_with_tiers_and_what_is_deleted_of_them_stays_away() {
    let server = Server::start().await;
    let client = server.client();
    let names = |documents: Vec<Value>| -> Vec<String> {
        documents
            .iter()
            .map(|one| one["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names(client.docs("tier", "").await),
        ["business-critical", "mission-critical", "non-critical"]
    );
    client.delete_named("tier", "non-critical").await.unwrap();
    client
        .patch_doc(
            "tier",
            "mission-critical",
            json!({ "spec": { "nodePool": "mine" } }),
        )
        .await
        .unwrap();
    let folder = server.stop().await;
    let server = Server::start_in(folder, |_| {}).await;
    let client = server.client();
    assert_eq!(
        names(client.docs("tier", "").await),
        ["business-critical", "mission-critical"]
    );
    assert_eq!(
        client.doc("tier", "mission-critical").await.unwrap()["spec"]["nodePool"],
        "mine"
    );
    let refused = client
        .delete_named("priorityclass", "system-node-critical")
        .await
        .unwrap_err();
    assert!(refusal(&refused).contains("may not be deleted"), "{refused}");
}

#[tokio::test]
async fn what_a_tier_fills_in_is_on_the_pod_and_told_to_its_author() {
    let server = Server::start().await;
    let client = server.client();
    let answer = client
        .create_doc(tiered("web", "mission-critical"))
        .await
        .unwrap();
    assert!(
        answer.warnings[0]
            .starts_with("tier mission-critical gives the pod: priorityClassName=system-cluster-critical"),
        "{:?}",
        answer.warnings
    );
    assert!(
        answer.warnings[1].starts_with("no node is in the pool production-pool"),
        "{:?}",
        answer.warnings
    );
    let pod = document(answer.object);
    assert_eq!(pod["spec"]["priority"], 2_000_000_000);
    assert_eq!(pod["spec"]["nodeSelector"]["skep.io/pool"], "production-pool");
    assert_eq!(
        pod["spec"]["containers"][0]["resources"]["requests"],
        json!({ "cpu": "500m", "memory": "512Mi" })
    );
    let spread = &pod["spec"]["topologySpreadConstraints"][0];
    assert_eq!(
        (&spread["topologyKey"], &spread["whenUnsatisfiable"]),
        (&json!("topology.kubernetes.io/zone"), &json!("DoNotSchedule"))
    );
    let refused = client.create_doc(tiered("lost", "gold")).await.unwrap_err();
    assert!(
        refusal(&refused).contains("write one of business-critical, mission-critical, non-critical"),
        "{refused}"
    );
    let mut web = deployment("web", 1);
    web["spec"]["template"]["metadata"]["labels"]["skep.io/tier"] = "gold".into();
    let refused = client.apply_doc(web).await.unwrap_err();
    assert!(
        refusal(&refused).contains("spec.template.metadata.labels[skep.io/tier]"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_quota_holds_though_many_ask_at_once() {
    let server = Server::start().await;
    let client = server.client();
    client
        .create_doc(of("v1", "ResourceQuota", "q", &json!({ "hard": { "cpu": "1" } })))
        .await
        .unwrap();
    let tries = (0..20).map(|number| {
        let client = client.clone();
        tokio::spawn(async move { client.create_doc(pod(&format!("p{number}"), "300m")).await })
    });
    let mut created = 0;
    for attempt in tries.collect::<Vec<_>>() {
        match attempt.await.unwrap() {
            Ok(_) => created += 1,
            Err(refused) => assert!(
                refusal(&refused)
                    .contains("exceeded quota: q, requested: cpu=300m, used: cpu=900m, limited: cpu=1"),
                "{refused}"
            ),
        }
    }
    assert_eq!(created, 3);
    client
        .until("resourcequota", "q", |quota| {
            quota["status"]["used"]["cpu"] == "900m"
        })
        .await;
}

/// A deployment that is available, on a node `a`.
async fn with_web(server: &Server, replicas: i64) -> Agent {
    let client = server.client();
    let agent = Agent::connect(&server.channel, "a").await;
    client.apply_doc(deployment("web", replicas)).await.unwrap();
    client
        .until("deployment", "web", |web| {
            web["status"]["availableReplicas"] == replicas
        })
        .await;
    agent
}

/// Names of the pods of `web` on a node that are not on their way out.
async fn webs(client: &Client, node: &str) -> Vec<String> {
    let pods = client.docs("pod", "app=web").await;
    let there = pods
        .iter()
        .filter(|pod| pod["spec"]["nodeName"] == node && pod["metadata"]["deletionTimestamp"].is_null());
    there
        .map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned())
        .collect()
}

async fn budget(client: &Client, spec: Value, allowed: i64) {
    client
        .create_doc(of("policy/v1", "PodDisruptionBudget", "web", &spec))
        .await
        .unwrap();
    client
        .until("pdb", "web", |budget| {
            budget["status"]["observedGeneration"] == 1 && budget["status"]["disruptionsAllowed"] == allowed
        })
        .await;
}

#[tokio::test]
async fn a_budget_decides_what_may_be_evicted_and_says_why_not() {
    let server = Server::start().await;
    let client = server.client();
    let _agent = with_web(&server, 2).await;
    budget(
        &client,
        json!({ "minAvailable": 2, "selector": { "matchLabels": { "app": "web" } } }),
        0,
    )
    .await;
    let names = webs(&client, "a").await;
    let refused = evict(&client, &names[0], false).await.unwrap_err();
    let detail = status::detail(&refused).unwrap();
    assert_eq!(detail.reason, "TooManyRequests");
    assert_eq!(detail.causes[0].reason, "DisruptionBudget");
    assert_eq!(
        detail.causes[0].message,
        "The disruption budget web needs 2 healthy pods and has 2 currently"
    );
    client
        .patch_doc("pdb", "web", json!({ "spec": { "minAvailable": 1 } }))
        .await
        .unwrap();
    client
        .until("pdb", "web", |budget| budget["status"]["disruptionsAllowed"] == 1)
        .await;
    evict(&client, &names[0], false).await.unwrap();
    client
        .until("deployment", "web", |web| web["status"]["availableReplicas"] == 2)
        .await;
    let missing = evict(&client, "nobody", false).await.unwrap_err();
    assert_eq!(refusal(&missing), "NotFound: pods \"nobody\" not found");
}

#[tokio::test]
async fn a_pod_that_may_not_be_missing_goes_once_its_replacement_is_there() {
    let server = Server::start().await;
    let client = server.client();
    let _agent = with_web(&server, 2).await;
    budget(
        &client,
        json!({ "maxUnavailable": 0, "selector": { "matchLabels": { "app": "web" } } }),
        0,
    )
    .await;
    client
        .patch_doc("node", "a", json!({ "spec": { "unschedulable": true } }))
        .await
        .unwrap();
    let old = webs(&client, "a").await;
    let first = evict(&client, &old[0], true).await.unwrap_err();
    assert!(
        status::detail(&first).unwrap().causes[0]
            .message
            .contains("is about to make it"),
        "{first}"
    );
    // There is no other node: to wait would be in vain, and it is said so besides what the budget says.
    let told = loop {
        let refused = evict(&client, &old[0], true).await.unwrap_err();
        let causes = status::detail(&refused).unwrap().causes;
        if causes.len() == 2 {
            break causes;
        }
    };
    assert_eq!(
        told[0].message,
        "The disruption budget web needs 2 healthy pods and has 2 currently"
    );
    assert!(
        told[1].message.contains("finds no place: 0/1 nodes fit"),
        "{told:?}"
    );
    let _other = Agent::connect(&server.channel, "b").await;
    for name in &old {
        while let Err(refused) = evict(&client, name, true).await {
            let reason = status::detail(&refused).unwrap().reason;
            if reason == "NotFound" {
                break;
            }
            assert_eq!(reason, "TooManyRequests", "{refused}");
            // Never fewer than there should be.
            let ready = webs(&client, "a").await.len() + webs(&client, "b").await.len();
            assert!(ready >= 2);
            tokio::task::yield_now().await;
        }
    }
    client
        .until("deployment", "web", |web| web["status"]["availableReplicas"] == 2)
        .await;
    assert_eq!(webs(&client, "a").await.len(), 0);
}

#[tokio::test]
async fn what_matters_more_takes_the_place_of_what_matters_less() {
    let server = Server::start().await;
    let client = server.client();
    let _agent = Agent::connect(&server.channel, "a").await;
    let mut small = pod("small", "3");
    small["spec"]["priorityClassName"] = "low-priority".into();
    client.create_doc(small).await.unwrap();
    client
        .until("pod", "small", |pod| pod["status"]["phase"] == "Running")
        .await;
    let mut large = pod("large", "3");
    large["spec"]["priorityClassName"] = "high-priority".into();
    client.create_doc(large).await.unwrap();
    let large = client
        .until("pod", "large", |pod| pod["status"]["phase"] == "Running")
        .await;
    assert_eq!(large["spec"]["nodeName"], "a");
    client.until("pod", "small", Value::is_null).await;
    let events = client.docs("event", "").await;
    let preempted = events
        .iter()
        .find(|event| event["reason"] == "Preempted")
        .unwrap();
    assert_eq!(preempted["involvedObject"]["name"], "small");
    assert!(
        preempted["message"]
            .as_str()
            .unwrap()
            .contains("Preempted by pod default/large")
    );
}

#[tokio::test]
async fn a_plan_says_what_would_happen_and_changes_nothing() {
    let server = Server::start().await;
    let client = server.client();
    let _agent = with_web(&server, 1).await;
    let documents = || vec![deployment("web", 3), deployment("new", 2)];
    let told = plan(&client, documents()).await;
    assert_eq!(told.objects[0].result(), WriteResult::Configured);
    let change = &told.objects[0].changes[0];
    assert_eq!(
        (
            change.field.as_str(),
            change.before.as_str(),
            change.after.as_str()
        ),
        ("spec.replicas", "1", "3")
    );
    assert_eq!(told.objects[1].result(), WriteResult::Created);
    let placed: Vec<_> = told
        .placements
        .iter()
        .map(|one| (one.owner.clone().unwrap().name, one.node.clone(), one.pods))
        .collect();
    assert_eq!(
        placed,
        [
            ("new".to_owned(), "a".to_owned(), 2),
            ("web".to_owned(), "a".to_owned(), 2)
        ]
    );
    assert_eq!(client.docs("deployment", "").await.len(), 1);
    assert_eq!(plan(&client, documents()).await.revision, told.revision);

    let stale = apply_plan(&client, documents(), "0000").await.unwrap_err();
    assert!(
        refusal(&stale).contains("the plan 0000 does not hold any more"),
        "{stale}"
    );
    let written = apply_plan(&client, documents(), &told.revision).await.unwrap();
    assert_eq!(written, [WriteResult::Configured, WriteResult::Created]);
    assert_eq!(
        client.doc("deployment", "web").await.unwrap()["spec"]["replicas"],
        3
    );
}

#[tokio::test]
async fn a_plan_tells_of_quotas_and_of_pods_without_a_place() {
    let server = Server::start().await;
    let client = server.client();
    client
        .create_doc(of(
            "v1",
            "ResourceQuota",
            "q",
            &json!({ "hard": { "pods": "1" } }),
        ))
        .await
        .unwrap();
    let told = plan(&client, vec![deployment("web", 3)]).await;
    assert!(
        told.obstacles[0].contains("exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1"),
        "{told:?}"
    );
    assert_eq!(
        (told.placements[0].node.as_str(), told.placements[0].pods),
        ("", 1)
    );
    assert!(told.placements[0].why.contains("no nodes yet"), "{told:?}");
    let both = plan(&client, vec![pod("one", "1"), pod("two", "1")]).await;
    assert!(both.objects[1].error.contains("exceeded quota"), "{both:?}");
    let detail = apply_plan(&client, vec![pod("one", "1"), pod("two", "1")], &both.revision)
        .await
        .unwrap_err();
    assert_eq!(status::detail(&detail).unwrap().reason, "Forbidden");
    assert_eq!(client.docs("pod", "").await.len(), 0);
}

#[tokio::test]
async fn what_is_beyond_a_limit_range_is_forbidden() {
    let server = Server::start().await;
    let client = server.client();
    let limits = json!({ "limits": [{ "type": "Container", "max": { "cpu": "1" } }] });
    client
        .create_doc(of("v1", "LimitRange", "small", &limits))
        .await
        .unwrap();
    let mut large = pod("large", "2");
    large["spec"]["containers"][0]["resources"] = json!({ "limits": { "cpu": "2" } });
    let refused = client.create_doc(large).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::PermissionDenied);
    assert_eq!(
        refusal(&refused),
        "Forbidden: pods \"large\" is forbidden: spec.containers[0].resources: maximum cpu usage per Container is 1, but limit is 2 \
         (limit range small)"
    );
}

#[tokio::test]
async fn the_plan_of_rebalancing_says_where_it_is_on_and_what_holds_pods_back() {
    let server = Server::start_in(tempfile::tempdir().unwrap(), |config| {
        config.rebalancing.at_once = 3;
    })
    .await;
    let client = server.client();
    let plan = async || {
        let request = proto::PlanRebalanceRequest {};
        client.clone().plan_rebalance(request).await.unwrap().into_inner()
    };
    let off = plan().await;
    assert!(
        !off.everywhere && off.namespaces.is_empty() && off.held.is_empty(),
        "{off:?}"
    );
    let _agent = Agent::connect(&server.channel, "a").await;
    for name in ["one", "two", "three"] {
        client.create_doc(pod(name, "1")).await.unwrap();
        client
            .until("pod", name, |pod| pod["status"]["phase"] == "Running")
            .await;
    }
    let _other = Agent::connect(&server.channel, "b").await;
    let asks = json!({ "metadata": { "annotations": { "skep.io/rebalance": "true" } } });
    client.patch_doc("namespace", "default", asks).await.unwrap();
    let on = loop {
        let on = plan().await;
        if !on.held.is_empty() {
            break on;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(on.namespaces, ["default"]);
    assert_eq!(on.held[0].held_by, "nobody makes it again");
    assert!(
        on.held[0]
            .why
            .starts_with("a uses 75% of its cpu (50% of its cpu without it), b would use 25%"),
        "{on:?}"
    );
    let nonsense = json!({ "metadata": { "annotations": { "skep.io/rebalance": "maybe" } } });
    let refused = client
        .patch_doc("namespace", "default", nonsense)
        .await
        .unwrap_err();
    assert!(
        refusal(&refused).contains("must be \"true\" or \"false\""),
        "{refused}"
    );
}
