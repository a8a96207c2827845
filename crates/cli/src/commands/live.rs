//! Changing and following one object of the cluster, and objects as their types.

use std::time::Duration;

use anyhow::anyhow;
use serde_json::Value;
use skep_api::{
    Object, Resource,
    convert::{proto_from_value, struct_from_value, value_from_struct},
    proto::{PatchRequest, UpdateRequest, WriteResponse, WriteResult, patch_request, watch_event::Type},
};
use tonic::Status;

use crate::{
    args::ResourceId,
    context::Context,
    errors,
    reads::{self, Listing},
    watch::Changes,
    writes::{DryRun, Validate, Written, write_options},
};

/// How often a change is tried again where somebody else was quicker.
const CONFLICTS_MAX: usize = 5;
/// How long nothing is heard of an object until it is read again: a watch that begins anew does not tell of an end.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// The object as its type.
///
/// # Errors
/// Where there is no such object, or the server cannot be asked.
pub(crate) async fn get_as<K: Resource>(ctx: &Context, id: &ResourceId) -> anyhow::Result<K> {
    typed(reads::get(ctx, id).await?)
}

/// All objects of a type that a selector finds in a namespace (empty: all).
///
/// # Errors
/// Where the server cannot be asked or refuses the selector.
pub(crate) async fn list_as<K: Resource>(
    ctx: &Context,
    namespace: &str,
    labels: &str,
) -> anyhow::Result<Vec<K>> {
    let listing = Listing {
        label_selector: labels.to_owned(),
        ..Listing::new(K::KIND, namespace)
    };
    listing.objects(ctx).await?.into_iter().map(typed).collect()
}

/// A document as its type.
///
/// # Errors
/// Where it is of another kind, or the server is of another time and knows other fields.
pub(crate) fn typed<K: Resource>(document: Value) -> anyhow::Result<K> {
    let object = Object::from_value(document)?;
    K::from_object(&object)
        .cloned()
        .ok_or_else(|| anyhow!("the server answered with a {}", object.kind()))
}

/// Changes fields by RFC 7386; true where that made a difference.
///
/// # Errors
/// Where there is no such object, the change is refused, or the server cannot be asked.
pub(crate) async fn merge(
    ctx: &Context,
    id: &ResourceId,
    subresource: &str,
    patch: Value,
) -> anyhow::Result<bool> {
    let request = PatchRequest {
        r#ref: Some(id.to_ref()),
        r#type: patch_request::Type::Merge.into(),
        patch: Some(proto_from_value(patch)),
        subresource: subresource.to_owned(),
        options: Some(write_options(Validate::Strict, DryRun::None)),
    };
    Ok(is_changed(ctx.client().await?.patch(request).await?.into_inner()))
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
        let before = reads::get(ctx, id).await?;
        let mut after = before.clone();
        change(&mut after)?;
        if after == before {
            return Ok(false);
        }
        let options = Some(write_options(Validate::Strict, DryRun::None));
        let request = UpdateRequest {
            object: struct_from_value(after),
            options,
        };
        match ctx.client().await?.update(request).await {
            Ok(answer) => return Ok(is_changed(answer.into_inner())),
            Err(status) if is_conflict(&status) && tries < CONFLICTS_MAX => tries += 1,
            Err(status) => return Err(status.into()),
        }
    }
}

fn is_changed(answer: WriteResponse) -> bool {
    Written::from_response(answer).result != WriteResult::Unchanged
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
    loop {
        let found = reads::find(ctx, id).await?;
        if let Some(answer) = look(found.as_ref()).await? {
            return Ok(answer);
        }
        let revision = found
            .as_ref()
            .and_then(|document| document["metadata"]["resourceVersion"].as_str());
        let mut changes = Changes::new(&Listing::one(id), false, revision.unwrap_or_default().to_owned());
        while let Ok(event) = tokio::time::timeout(LOOK_AGAIN, changes.next(ctx)).await {
            let event = event?;
            let gone = event.r#type() == Type::Deleted;
            let Some(object) = event.object else { continue };
            let document = value_from_struct(object);
            if let Some(answer) = look(Some(&document).filter(|_| !gone)).await? {
                return Ok(answer);
            }
        }
    }
}
