//! Reading, changing and following one object of the cluster.

use std::time::Duration;

use anyhow::anyhow;
use serde_json::Value;
use skep_api::{
    Kind, Object, Resource,
    convert::{proto_from_value, struct_from_value, value_from_struct},
    proto::{
        GetRequest, PatchRequest, UpdateRequest, WatchRequest, WriteOptions, WriteResponse, WriteResult,
        patch_request, watch_event,
    },
};
use tonic::{Code, Status, Streaming};

use crate::{
    args::{self, ResourceId},
    context::Context,
    errors,
};

/// How often a change is tried again where somebody else was quicker.
const CONFLICTS_MAX: usize = 5;
/// How often in a row a lost connection is made anew.
const RECONNECTS_MAX: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The object's document.
///
/// # Errors
/// Where there is no such object, or the server cannot be asked.
pub(crate) async fn get(ctx: &Context, id: &ResourceId) -> anyhow::Result<Value> {
    let request = GetRequest { r#ref: Some(id.to_ref()), stale_ok: false };
    let answer = ctx.client().await?.get(request).await?.into_inner();
    Ok(value_from_struct(answer.object.unwrap_or_default()))
}

/// The object's document; `None` where there is no such object.
///
/// # Errors
/// Where the server cannot be asked.
pub(crate) async fn find(ctx: &Context, id: &ResourceId) -> anyhow::Result<Option<Value>> {
    match get(ctx, id).await {
        Ok(document) => Ok(Some(document)),
        Err(error) if errors::is_not_found(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The object as its type.
///
/// # Errors
/// As [`get`].
pub(crate) async fn get_as<K: Resource>(ctx: &Context, id: &ResourceId) -> anyhow::Result<K> {
    typed(get(ctx, id).await?)
}

/// All objects of a type that a selector finds in a namespace (empty: all).
///
/// # Errors
/// Where the server cannot be asked or refuses the selector.
pub(crate) async fn list_as<K: Resource>(ctx: &Context, namespace: &str, labels: &str) -> anyhow::Result<Vec<K>> {
    let documents = args::list(ctx, K::KIND, namespace, labels, "").await?;
    documents.into_iter().map(typed).collect()
}

/// A document as its type.
///
/// # Errors
/// Where it is of another kind, or the server is of another time and knows other fields.
pub(crate) fn typed<K: Resource>(document: Value) -> anyhow::Result<K> {
    let object = Object::from_value(document)?;
    K::from_object(&object).cloned().ok_or_else(|| anyhow!("the server answered with a {}", object.kind()))
}

/// Changes fields by RFC 7386; true where that made a difference.
///
/// # Errors
/// Where there is no such object, the change is refused, or the server cannot be asked.
pub(crate) async fn merge(ctx: &Context, id: &ResourceId, subresource: &str, patch: Value) -> anyhow::Result<bool> {
    let request = PatchRequest {
        r#ref: Some(id.to_ref()),
        r#type: patch_request::Type::Merge.into(),
        patch: Some(proto_from_value(patch)),
        subresource: subresource.to_owned(),
        options: Some(options()),
    };
    let answer = ctx.client().await?.patch(request).await?.into_inner();
    Ok(is_changed(&answer))
}

/// Reads the object, changes its document and writes it back, again and again while others are quicker; true where
/// that made a difference.
///
/// # Errors
/// What `change` says, or as [`merge`].
pub(crate) async fn edit(
    ctx: &Context,
    id: &ResourceId,
    mut change: impl FnMut(&mut Value) -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    let mut tries = 0;
    loop {
        let before = get(ctx, id).await?;
        let mut after = before.clone();
        change(&mut after)?;
        if after == before {
            return Ok(false);
        }
        let request = UpdateRequest { object: struct_from_value(after), options: Some(options()) };
        match ctx.client().await?.update(request).await {
            Ok(answer) => return Ok(is_changed(answer.get_ref())),
            Err(status) if is_conflict(&status) && tries < CONFLICTS_MAX => tries += 1,
            Err(status) => return Err(status.into()),
        }
    }
}

fn options() -> WriteOptions {
    WriteOptions { field_manager: "skep".to_owned(), ..WriteOptions::default() }
}

fn is_changed(answer: &WriteResponse) -> bool {
    answer.result() != WriteResult::Unchanged
}

fn is_conflict(status: &Status) -> bool {
    errors::reason(status) == "Conflict"
}

/// Looks at the object now and after each of its changes (`None`: it is not there), until `look` has an answer.
///
/// # Errors
/// What `look` says, or where the server cannot be asked any more.
pub(crate) async fn follow<T>(
    ctx: &Context,
    id: &ResourceId,
    mut look: impl AsyncFnMut(Option<&Value>) -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let mut failures = 0;
    loop {
        match follow_once(ctx, id, &mut look).await {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => failures = 0,
            Err(error) if failures < RECONNECTS_MAX && is_passing(&error) => failures += 1,
            Err(error) => return Err(error),
        }
        tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(failures.min(5))).await;
    }
}

/// One read and one watch; `None` where the watch ended without an answer.
async fn follow_once<T>(
    ctx: &Context,
    id: &ResourceId,
    look: &mut impl AsyncFnMut(Option<&Value>) -> anyhow::Result<Option<T>>,
) -> anyhow::Result<Option<T>> {
    let found = find(ctx, id).await?;
    if let Some(answer) = look(found.as_ref()).await? {
        return Ok(Some(answer));
    }
    let version = found.as_ref().and_then(|document| document["metadata"]["resourceVersion"].as_str());
    let mut stream = watch(ctx, id, version.unwrap_or_default()).await?;
    loop {
        let event = match stream.message().await {
            Ok(Some(event)) => event,
            Ok(None) => return Ok(None),
            Err(status) if status.code() == Code::OutOfRange => return Ok(None),
            Err(status) => return Err(status.into()),
        };
        let gone = event.r#type() == watch_event::Type::Deleted;
        let Some(object) = event.object else { continue };
        let document = value_from_struct(object);
        if let Some(answer) = look(Some(&document).filter(|_| !gone)).await? {
            return Ok(Some(answer));
        }
    }
}

async fn watch(
    ctx: &Context,
    id: &ResourceId,
    version: &str,
) -> anyhow::Result<Streaming<skep_api::proto::WatchEvent>> {
    let request = WatchRequest {
        kind: id.kind.as_str().to_owned(),
        namespace: id.namespace.clone(),
        field_selector: format!("metadata.name={}", id.name),
        resource_version: version.to_owned(),
        ..WatchRequest::default()
    };
    Ok(ctx.client().await?.watch(request).await?.into_inner())
}

/// True for a server that may be back in a moment.
fn is_passing(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Status>().is_some_and(|status| {
        matches!(status.code(), Code::Unavailable | Code::Unknown | Code::OutOfRange | Code::Cancelled)
    })
}

/// `web` or `deployment web` or `deployment/web`: exactly one object, of the kind supposed where none is named.
///
/// # Errors
/// Where the words name no object or several.
pub(crate) fn one_target(words: &[String], supposed: Kind, namespace: &str) -> anyhow::Result<ResourceId> {
    let (kind, name) = match words {
        [word] => args::parse_target(word, supposed)?,
        [kind, name] => (args::parse_kind(kind)?, name.clone()),
        _ => return Err(anyhow!("expected one resource: write NAME, TYPE/NAME or TYPE NAME")),
    };
    Ok(ResourceId::new(kind, namespace, name))
}
