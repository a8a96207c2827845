//! An object's end.

use skep_api::{
    convert,
    proto::{self, DeleteRequest, DeleteResponse},
};
use skep_state::{Applied, Change, DeleteOptions, Effect, Precondition, Propagation, Verb};

use super::{commit::Commit, reserved};
use crate::{core::Core, failure::Failure, read};

/// Asks for an object's end.
pub(crate) async fn delete(core: &Core, request: DeleteRequest) -> Result<DeleteResponse, Failure> {
    let (kind, key) = read::resolve(request.r#ref.as_ref())?;
    let commit = Commit::new(&request.request_id, request.dry_run)?;
    let change = Change {
        only_if: precondition(&request)?,
        verb: Verb::Delete {
            kind,
            key: key.clone(),
            options: options(&request)?,
        },
    };
    let state = core.read(false).await?;
    if let Some(outcome) = commit.answered_before(&state) {
        return Ok(response(&outcome?));
    }
    if state.object(kind, &key).is_none() {
        return Err(Failure::NotFound(kind, key));
    }
    reserved::check_delete(kind, &key)?;
    let applied = commit.write(core, &state, change).await?;
    Ok(response(&applied))
}

fn response(applied: &Applied) -> DeleteResponse {
    DeleteResponse {
        object: Some(convert::to_struct(&applied.object)),
        gone: applied.effect == Effect::Removed,
    }
}

fn precondition(request: &DeleteRequest) -> Result<Precondition, Failure> {
    let revision = match request.resource_version.as_str() {
        "" => None,
        text => Some(
            text.parse()
                .map_err(|_| Failure::BadRequest(format!("resourceVersion: `{text}` is not a number")))?,
        ),
    };
    Ok(Precondition {
        uid: Some(request.uid.clone()).filter(|uid| !uid.is_empty()),
        revision,
    })
}

fn options(request: &DeleteRequest) -> Result<DeleteOptions, Failure> {
    if let Some(seconds) = request.grace_period_seconds.filter(|seconds| *seconds < 0) {
        return Err(Failure::BadRequest(format!(
            "gracePeriodSeconds: {seconds} is negative"
        )));
    }
    let propagation = match request.propagation() {
        proto::Propagation::Unspecified | proto::Propagation::Background => Propagation::Background,
        proto::Propagation::Foreground => Propagation::Foreground,
        proto::Propagation::Orphan => Propagation::Orphan,
    };
    Ok(DeleteOptions {
        grace_seconds: request.grace_period_seconds,
        propagation,
    })
}
