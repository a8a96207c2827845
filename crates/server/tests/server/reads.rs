//! What reading shows: lists, pages, tables, descriptions, the kinds.

use skep_api::proto::{self, ListRequest};
use tonic::Code;

use crate::harness::{Ask, Server, config_map, document, object_ref, pod, refusal};

fn page(limit: u32, token: &str) -> ListRequest {
    ListRequest {
        kind: "configmaps".to_owned(),
        limit,
        r#continue: token.to_owned(),
        ..Default::default()
    }
}

fn names(items: Vec<skep_api::Struct>) -> Vec<String> {
    let name = |item| {
        document(Some(item))["metadata"]["name"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    items.into_iter().map(name).collect()
}

#[tokio::test]
async fn all_pages_of_a_list_show_the_same_moment() {
    let server = Server::start().await;
    let mut client = server.client();
    for name in ["a", "b", "c", "d", "e"] {
        client.create_doc(config_map(name, "1")).await.unwrap();
    }
    let first = client.list(page(2, "")).await.unwrap().into_inner();
    assert_eq!(
        (first.remaining_items, names(first.items)),
        (3, vec!["a".to_owned(), "b".to_owned()])
    );
    client.create_doc(config_map("bb", "late")).await.unwrap();
    client.delete_named("cm", "d").await.unwrap();
    let second = client
        .list(page(2, &first.r#continue))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(second.resource_version, first.resource_version);
    assert_eq!(names(second.items), ["c", "d"]);
    let last = client
        .list(page(2, &second.r#continue))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (names(last.items), last.r#continue.as_str()),
        (vec!["e".to_owned()], "")
    );
}

#[tokio::test]
async fn a_list_that_was_begun_before_a_restart_has_to_begin_again() {
    let server = Server::start().await;
    let mut client = server.client();
    for name in ["a", "b"] {
        client.create_doc(config_map(name, "1")).await.unwrap();
    }
    let token = client.list(page(1, "")).await.unwrap().into_inner().r#continue;
    let server = Server::start_in(server.stop().await, |_| {}).await;
    let status = server.client().list(page(1, &token)).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
    assert!(refusal(&status).starts_with("Expired: "), "{status:?}");
}

#[tokio::test]
async fn lists_are_cut_down_by_labels_fields_and_namespace() {
    let server = Server::start().await;
    let mut client = server.client();
    for name in ["web", "db"] {
        client.create_doc(pod(name, "1")).await.unwrap();
    }
    assert_eq!(client.docs("pods", "app=web").await.len(), 1);
    assert_eq!(client.docs("pods", "app in (web, db)").await.len(), 2);
    let by_field = |fields: &str, namespace: &str| ListRequest {
        kind: "po".to_owned(),
        field_selector: fields.to_owned(),
        namespace: namespace.to_owned(),
        ..Default::default()
    };
    for (fields, namespace, count) in [
        ("metadata.name=db", "", 1),
        ("status.phase=Pending", "default", 2),
        ("status.phase!=Pending", "", 0),
        ("", "kube-system", 0),
        ("spec.nodeName=a", "", 0),
    ] {
        let items = client
            .list(by_field(fields, namespace))
            .await
            .unwrap()
            .into_inner()
            .items;
        assert_eq!(items.len(), count, "{fields} in {namespace:?}");
    }
}

#[tokio::test]
async fn tables_have_a_row_for_each_object() {
    let server = Server::start().await;
    let mut client = server.client();
    client.create_doc(pod("web", "1")).await.unwrap();
    let request = ListRequest {
        kind: "pods".to_owned(),
        ..Default::default()
    };
    let table = client.table(request).await.unwrap().into_inner();
    assert_eq!(table.columns[0].name, "NAME");
    assert_eq!(table.rows.len(), 1);
    assert_eq!(table.rows[0].cells.len(), table.columns.len());
    let metadata = document(table.rows[0].metadata.clone());
    assert_eq!(
        (&metadata["name"], &metadata["namespace"]),
        (&"web".into(), &"default".into())
    );
}

#[tokio::test]
async fn describe_explains_and_explain_describes() {
    let server = Server::start().await;
    let mut client = server.client();
    client.create_doc(pod("web", "1")).await.unwrap();
    let request = proto::GetRequest {
        r#ref: object_ref("pod", "web"),
        stale_ok: false,
    };
    let text = client.describe(request).await.unwrap().into_inner().text;
    assert!(text.contains("Name:") && text.contains("web"), "{text}");
    let request = proto::ExplainRequest {
        path: "deployment.spec.strategy".to_owned(),
        recursive: false,
    };
    let text = client.explain(request).await.unwrap().into_inner().text;
    assert!(text.contains("rollingUpdate"), "{text}");
    let request = proto::ExplainRequest {
        path: "deployment.spec.colour".to_owned(),
        recursive: false,
    };
    assert_eq!(
        client.explain(request).await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[tokio::test]
async fn every_kind_is_told() {
    let server = Server::start().await;
    let resources = server
        .client()
        .api_resources(proto::ApiResourcesRequest {})
        .await
        .unwrap()
        .into_inner()
        .resources;
    let names: Vec<_> = resources.iter().map(|resource| resource.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "configmaps",
            "events",
            "limitranges",
            "namespaces",
            "nodes",
            "pods",
            "resourcequotas",
            "secrets",
            "deployments",
            "nodepools",
            "poddisruptionbudgets",
            "priorityclasses",
            "replicasets",
            "workloadtiers"
        ]
    );
}
