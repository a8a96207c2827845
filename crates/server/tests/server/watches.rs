//! What watchers see.

use expect_test::{Expect, expect};
use serde_json::json;
use skep_api::proto::{WatchEvent, WatchRequest, watch_event::Type};
use tonic::{Code, Streaming};

use crate::harness::{Ask, Server, config_map, document, refusal, within};

async fn begin(server: &Server, request: WatchRequest) -> Streaming<WatchEvent> {
    let request = WatchRequest {
        kind: "configmaps".to_owned(),
        ..request
    };
    server.client().watch(request).await.unwrap().into_inner()
}

async fn next(events: &mut Streaming<WatchEvent>) -> WatchEvent {
    within(events.message())
        .await
        .unwrap()
        .expect("the watch goes on")
}

async fn check(events: &mut Streaming<WatchEvent>, count: usize, expected: &Expect) {
    let mut told = String::new();
    for _ in 0..count {
        let event = next(events).await;
        let name = match event.r#type() {
            Type::Bookmark => String::new(),
            _ => {
                let object = document(event.object.clone());
                assert_eq!(
                    object["metadata"]["resourceVersion"],
                    event.resource_version.as_str()
                );
                format!(
                    " {} {}",
                    object["metadata"]["name"].as_str().unwrap(),
                    object["data"]["key"]
                )
            }
        };
        told.push_str(&format!(
            "{}{name}\n",
            event.r#type().as_str_name().trim_start_matches("TYPE_")
        ));
    }
    expected.assert_eq(&told);
}

fn labelled(name: &str, value: &str, tier: &str) -> serde_json::Value {
    let mut map = config_map(name, value);
    map["metadata"]["labels"] = json!({ "tier": tier });
    map
}

#[tokio::test]
async fn a_watch_from_the_beginning_shows_what_there_is_and_then_what_changes() {
    let server = Server::start().await;
    let client = server.client();
    client.create_doc(config_map("a", "1")).await.unwrap();
    let mut events = begin(
        &server,
        WatchRequest {
            bookmarks: true,
            ..Default::default()
        },
    )
    .await;
    check(
        &mut events,
        2,
        &expect![[r#"
            ADDED a "1"
            BOOKMARK
        "#]],
    )
    .await;
    client.apply_doc(config_map("a", "2")).await.unwrap();
    client.create_doc(config_map("b", "1")).await.unwrap();
    client.delete_named("cm", "a").await.unwrap();
    check(
        &mut events,
        3,
        &expect![[r#"
            MODIFIED a "2"
            ADDED b "1"
            DELETED a "2"
        "#]],
    )
    .await;
}

#[tokio::test]
async fn an_object_that_leaves_the_selector_is_deleted_for_the_watcher() {
    let server = Server::start().await;
    let client = server.client();
    let from = document(
        client
            .create_doc(labelled("a", "0", "front"))
            .await
            .unwrap()
            .object,
    );
    let request = WatchRequest {
        label_selector: "tier=front".to_owned(),
        resource_version: from["metadata"]["resourceVersion"].as_str().unwrap().to_owned(),
        ..Default::default()
    };
    let mut events = begin(&server, request).await;
    for map in [
        labelled("a", "1", "front"),
        labelled("a", "2", "back"),
        labelled("a", "3", "back"),
        labelled("a", "4", "front"),
    ] {
        client.update_doc(map).await.unwrap();
    }
    client.create_doc(labelled("other", "1", "back")).await.unwrap();
    client.delete_named("cm", "other").await.unwrap();
    client.delete_named("cm", "a").await.unwrap();
    check(
        &mut events,
        4,
        &expect![[r#"
            MODIFIED a "1"
            DELETED a "1"
            ADDED a "4"
            DELETED a "4"
        "#]],
    )
    .await;
}

#[tokio::test]
async fn rows_come_with_their_columns_once() {
    let server = Server::start().await;
    let client = server.client();
    for name in ["a", "b"] {
        client.create_doc(config_map(name, "1")).await.unwrap();
    }
    let mut events = begin(
        &server,
        WatchRequest {
            table: true,
            ..Default::default()
        },
    )
    .await;
    let (first, second) = (next(&mut events).await, next(&mut events).await);
    assert_eq!(first.columns.len(), first.row.unwrap().cells.len());
    assert!(first.object.is_none() && second.columns.is_empty());
    assert_eq!(second.row.unwrap().cells[0], "b");
}

#[tokio::test]
async fn a_watch_from_a_revision_that_cannot_be_is_expired() {
    let server = Server::start().await;
    let request = |version: &str| WatchRequest {
        kind: "pods".to_owned(),
        resource_version: version.to_owned(),
        ..Default::default()
    };
    let status = server.client().watch(request("99999")).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
    assert!(refusal(&status).starts_with("Expired: "), "{status:?}");
    assert_eq!(
        server.client().watch(request("soon")).await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[tokio::test]
async fn a_watch_from_before_the_history_is_expired() {
    let server = Server::start().await;
    let client = server.client();
    let made = document(client.create_doc(config_map("large", "0")).await.unwrap().object);
    // The history holds 24 MiB.
    for round in 0..26 {
        let value = format!("{round}{}", "x".repeat(1_000_000));
        client.update_doc(config_map("large", &value)).await.unwrap();
    }
    let request = WatchRequest {
        kind: "configmaps".to_owned(),
        resource_version: made["metadata"]["resourceVersion"].as_str().unwrap().to_owned(),
        ..Default::default()
    };
    let status = server.client().watch(request).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    assert!(refusal(&status).starts_with("Expired: "), "{status:?}");
}

#[tokio::test]
async fn a_watch_ends_with_the_server() {
    let server = Server::start().await;
    let mut events = begin(&server, WatchRequest::default()).await;
    let stopped = server.stop();
    let (end, folder) = tokio::join!(within(events.message()), stopped);
    assert_eq!(end.unwrap_err().code(), Code::Unavailable);
    drop(folder);
}
