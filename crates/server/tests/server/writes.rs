//! What writing does: apply, patch, preconditions, dry run, retries.

use serde_json::{Value, json};
use skep_api::{
    convert,
    proto::{self, WriteOptions, WriteResult, patch_request::Type},
};
use tonic::Code;

use crate::harness::{Ask, Client, Server, config_map, deployment, document, object_ref, pod, refusal};

async fn revision(client: &mut Client) -> u64 {
    client
        .info(proto::InfoRequest {})
        .await
        .unwrap()
        .into_inner()
        .revision
}

#[tokio::test]
async fn apply_creates_configures_and_then_leaves_alone() {
    let server = Server::start().await;
    let mut client = server.client();
    let made = client.apply_doc(config_map("settings", "1")).await.unwrap();
    assert_eq!(made.result(), WriteResult::Created);
    let before = revision(&mut client).await;
    let same = client.apply_doc(config_map("settings", "1")).await.unwrap();
    assert_eq!(same.result(), WriteResult::Unchanged);
    assert_eq!(revision(&mut client).await, before, "nothing is written");
    let changed = client.apply_doc(config_map("settings", "2")).await.unwrap();
    assert_eq!(changed.result(), WriteResult::Configured);
    assert_eq!(document(changed.object)["data"]["key"], "2");
}

#[tokio::test]
async fn apply_removes_what_it_set_before_and_keeps_what_others_set() {
    let server = Server::start().await;
    let client = server.client();
    let mut first = config_map("settings", "1");
    first["data"]["extra"] = json!("mine");
    client.apply_doc(first).await.unwrap();
    client
        .patch_doc("cm", "settings", json!({ "data": { "foreign": "theirs" } }))
        .await
        .unwrap();
    client.apply_doc(config_map("settings", "1")).await.unwrap();
    let data = client.doc("cm", "settings").await.unwrap()["data"].clone();
    assert_eq!(data, json!({ "key": "1", "foreign": "theirs" }));
}

#[tokio::test]
async fn applying_a_deployment_again_is_unchanged_although_defaults_were_filled_in() {
    let server = Server::start().await;
    let client = server.client();
    client.apply_doc(deployment("web", 0)).await.unwrap();
    client
        .until("deployment", "web", |web| {
            web["status"]["observedGeneration"] == 1
        })
        .await;
    let again = client.apply_doc(deployment("web", 0)).await.unwrap();
    assert_eq!(again.result(), WriteResult::Unchanged);
}

#[tokio::test]
async fn a_large_config_map_can_be_applied_and_a_key_taken_out_again() {
    let server = Server::start().await;
    let client = server.client();
    let mut large = config_map("large", &"x".repeat(600 * 1024));
    large["data"]["extra"] = json!("1");
    client.apply_doc(large.clone()).await.unwrap();
    assert_eq!(
        client.apply_doc(large.clone()).await.unwrap().result(),
        WriteResult::Unchanged
    );
    large["data"].as_object_mut().unwrap().remove("extra");
    assert_eq!(
        client.apply_doc(large).await.unwrap().result(),
        WriteResult::Configured
    );
    assert_eq!(
        client.doc("cm", "large").await.unwrap()["data"].get("extra"),
        None
    );
}

#[tokio::test]
async fn a_dry_run_answers_as_if_and_writes_nothing() {
    let server = Server::start().await;
    let mut client = server.client();
    let before = revision(&mut client).await;
    let options = Some(WriteOptions {
        dry_run: true,
        ..Default::default()
    });
    let object = convert::struct_from_value(config_map("draft", "1"));
    let request = proto::CreateRequest {
        object,
        options: options.clone(),
    };
    let made = client.create(request).await.unwrap().into_inner();
    assert_eq!(made.result(), WriteResult::Created);
    assert!(document(made.object)["metadata"]["uid"].is_string());
    assert_eq!(
        client.doc("cm", "draft").await.unwrap_err().code(),
        Code::NotFound
    );
    client.create_doc(config_map("real", "1")).await.unwrap();
    let request = proto::DeleteRequest {
        r#ref: object_ref("cm", "real"),
        dry_run: true,
        ..Default::default()
    };
    assert!(client.delete(request).await.unwrap().into_inner().gone);
    assert!(client.doc("cm", "real").await.is_ok());
    assert_eq!(revision(&mut client).await, before + 1, "the one real write");
    let object = convert::struct_from_value(config_map("real", "1"));
    let taken = client
        .create(proto::CreateRequest { object, options })
        .await
        .unwrap_err();
    assert_eq!(
        taken.code(),
        Code::AlreadyExists,
        "a dry run is refused as the write would be"
    );
}

#[tokio::test]
async fn names_are_made_from_their_prefix() {
    let server = Server::start().await;
    let client = server.client();
    let mut generated = config_map("", "1");
    generated["metadata"] = json!({ "generateName": "job-" });
    let one = document(client.create_doc(generated.clone()).await.unwrap().object);
    let two = document(client.create_doc(generated).await.unwrap().object);
    let names = [&one, &two].map(|object| object["metadata"]["name"].as_str().unwrap().to_owned());
    assert!(
        names
            .iter()
            .all(|name| name.len() == 9 && name.starts_with("job-")),
        "{names:?}"
    );
    assert_ne!(names[0], names[1]);
}

#[tokio::test]
async fn an_update_of_an_old_revision_is_a_conflict() {
    let server = Server::start().await;
    let client = server.client();
    let old = document(client.create_doc(config_map("a", "1")).await.unwrap().object);
    let mut new = old.clone();
    new["data"]["key"] = json!("2");
    client.update_doc(new.clone()).await.unwrap();
    let status = client.update_doc(new).await.unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
    assert!(
        refusal(&status).starts_with("Conflict: configmaps \"a\" has changed"),
        "{status:?}"
    );
    client
        .update_doc(config_map("a", "3"))
        .await
        .expect("an update that names no revision takes any");
}

#[tokio::test]
async fn a_status_in_a_document_is_ignored() {
    let server = Server::start().await;
    let client = server.client();
    let mut proud = pod("web", "1");
    proud["status"] = json!({ "phase": "Running", "podIP": "10.0.0.1" });
    client.create_doc(proud).await.unwrap();
    let stored = client.doc("pod", "web").await.unwrap();
    assert_ne!(stored["status"]["phase"], "Running");
    assert_eq!(stored["status"].get("podIP"), None);
}

async fn patch(client: &mut Client, r#type: Type, name: &str, patch: Value) -> Result<Value, tonic::Status> {
    let request = proto::PatchRequest {
        r#ref: object_ref("deployment", name),
        r#type: r#type.into(),
        patch: Some(convert::proto_from_value(patch)),
        ..Default::default()
    };
    client
        .patch(request)
        .await
        .map(|response| document(response.into_inner().object))
}

#[tokio::test]
async fn the_three_ways_to_patch_each_do_what_they_say() {
    let server = Server::start().await;
    let mut client = server.client();
    client.create_doc(deployment("web", 0)).await.unwrap();
    let image = |object: &Value| object["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    let containers = json!({ "spec": { "template": { "spec": { "containers": [{ "name": "main", "image": "busybox:2" }] } } } });
    let patched = patch(&mut client, Type::StrategicMerge, "web", containers)
        .await
        .unwrap();
    assert_eq!(image(&patched), "busybox:2");
    assert_eq!(patched["metadata"]["generation"], 2);
    let labels = json!({ "metadata": { "labels": { "tier": "front" } } });
    let patched = patch(&mut client, Type::Merge, "web", labels).await.unwrap();
    assert_eq!(patched["metadata"]["labels"], json!({ "tier": "front" }));
    let replace =
        json!([{ "op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "busybox:3" }]);
    let patched = patch(&mut client, Type::Json, "web", replace).await.unwrap();
    assert_eq!(image(&patched), "busybox:3");
    let failing = json!([{ "op": "test", "path": "/spec/replicas", "value": 7 }]);
    let status = patch(&mut client, Type::Json, "web", failing).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let rename = json!({ "metadata": { "name": "other" } });
    let status = patch(&mut client, Type::Merge, "web", rename).await.unwrap_err();
    assert!(
        refusal(&status).contains("metadata.name: may not be changed"),
        "{status:?}"
    );
    let old = json!({ "metadata": { "resourceVersion": "1", "labels": { "a": "b" } } });
    assert_eq!(
        patch(&mut client, Type::Merge, "web", old)
            .await
            .unwrap_err()
            .code(),
        Code::Aborted
    );
}

#[tokio::test]
async fn scaling_changes_the_replicas_and_nothing_else() {
    let server = Server::start().await;
    let mut client = server.client();
    client.create_doc(deployment("web", 0)).await.unwrap();
    let scale = |replicas: Value| proto::PatchRequest {
        r#ref: object_ref("deployment", "web"),
        r#type: Type::Merge.into(),
        patch: Some(convert::proto_from_value(
            json!({ "spec": { "replicas": replicas } }),
        )),
        subresource: "scale".to_owned(),
        ..Default::default()
    };
    let scaled = client.patch(scale(json!(4))).await.unwrap().into_inner();
    assert_eq!(document(scaled.object)["spec"]["replicas"], 4);
    for wrong in [json!(-1), json!("many"), Value::Null] {
        assert_eq!(
            client.patch(scale(wrong)).await.unwrap_err().code(),
            Code::InvalidArgument
        );
    }
    let request = proto::PatchRequest {
        r#ref: object_ref("pod", "web"),
        ..scale(json!(1))
    };
    assert!(refusal(&client.patch(request).await.unwrap_err()).contains("pods have no scale"));
}

#[tokio::test]
async fn patches_at_the_same_time_all_arrive() {
    let server = Server::start().await;
    let client = server.client();
    client.create_doc(config_map("busy", "0")).await.unwrap();
    let patches = (0..4).map(|index| {
        let client = client.clone();
        let patch = json!({ "data": { format!("key{index}"): "set" } });
        async move { client.patch_doc("cm", "busy", patch).await }
    });
    for patched in futures::future::join_all(patches).await {
        patched.unwrap();
    }
    let data = client.doc("cm", "busy").await.unwrap()["data"]
        .as_object()
        .unwrap()
        .len();
    assert_eq!(data, 5);
}

#[tokio::test]
async fn a_retry_with_the_same_request_id_is_answered_as_before() {
    let server = Server::start().await;
    let mut client = server.client();
    let request = |value: &str| proto::ApplyRequest {
        object: convert::struct_from_value(config_map("once", value)),
        options: Some(WriteOptions {
            request_id: "r-1".to_owned(),
            ..Default::default()
        }),
    };
    let first = client.apply(request("1")).await.unwrap().into_inner();
    let again = client.apply(request("1")).await.unwrap().into_inner();
    assert_eq!(again.result(), WriteResult::Created);
    assert_eq!(document(first.object), document(again.object));
    let long = proto::WriteOptions {
        request_id: "x".repeat(65),
        ..Default::default()
    };
    let request = proto::ApplyRequest {
        options: Some(long),
        ..request("1")
    };
    assert_eq!(
        client.apply(request).await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

/// Options of a request that may be sent again.
fn named(id: String) -> Option<WriteOptions> {
    Some(WriteOptions {
        request_id: id,
        ..Default::default()
    })
}

/// What an update answers that is the `number`th of its sort.
async fn update_again(client: &Client, number: usize) -> Value {
    let request = proto::UpdateRequest {
        object: convert::struct_from_value(config_map("shared", &number.to_string())),
        options: named(format!("update-{number}")),
    };
    let answer = client.clone().update(request).await.unwrap().into_inner();
    document(answer.object)
}

#[tokio::test]
async fn updates_that_race_and_are_sent_again_are_carried_out_once_each() {
    let server = Server::start().await;
    let mut client = server.client();
    client.create_doc(config_map("shared", "none")).await.unwrap();
    let before = revision(&mut client).await;
    // All look at the same state of their server, and but one of them are refused by the log, and look again.
    let updates = || futures::future::join_all((0..16).map(|number| update_again(&client, number)));
    let first = updates().await;
    assert_eq!(revision(&mut client.clone()).await, before + 16);
    let held = client.doc("cm", "shared").await.unwrap();
    let again = updates().await;
    assert_eq!(first, again, "a retry is answered as the request was");
    assert_eq!(
        client.doc("cm", "shared").await.unwrap(),
        held,
        "and changes nothing"
    );
    assert_eq!(revision(&mut client).await, before + 16);
}

#[tokio::test]
async fn a_create_that_is_sent_many_times_at_once_makes_one_object() {
    let server = Server::start().await;
    let mut client = server.client();
    let before = revision(&mut client).await;
    let create = |client: Client| async move {
        let request = proto::CreateRequest {
            object: convert::struct_from_value(config_map("once", "1")),
            options: named("create".to_owned()),
        };
        let answer = client.clone().create(request).await.unwrap().into_inner();
        document(answer.object)
    };
    let answers = futures::future::join_all((0..16).map(|_| create(client.clone()))).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(revision(&mut client).await, before + 1);
    client.delete_named("cm", "once").await.unwrap();
    assert_eq!(
        create(client.clone()).await,
        answers[0],
        "it is remembered after that"
    );
    assert!(client.doc("cm", "once").await.is_err(), "and not made anew");
}

#[tokio::test]
async fn unknown_fields_are_warned_about_when_asked_to_warn() {
    let server = Server::start().await;
    let mut client = server.client();
    let mut odd = config_map("odd", "1");
    odd["colour"] = json!("red");
    let request = |validation: proto::Validation| proto::ApplyRequest {
        object: convert::struct_from_value(odd.clone()),
        options: Some(WriteOptions {
            validation: validation.into(),
            ..Default::default()
        }),
    };
    assert_eq!(
        client
            .apply(request(proto::Validation::Strict))
            .await
            .unwrap_err()
            .code(),
        Code::InvalidArgument
    );
    let warned = client
        .apply(request(proto::Validation::Warn))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(warned.warnings.len(), 1, "{:?}", warned.warnings);
    assert!(
        warned.warnings[0].starts_with("colour: "),
        "{:?}",
        warned.warnings
    );
    let silent = client
        .apply(request(proto::Validation::Ignore))
        .await
        .unwrap()
        .into_inner();
    assert!(silent.warnings.is_empty(), "{:?}", silent.warnings);
}
