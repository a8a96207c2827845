//! A whole object replaced.

use std::sync::Arc;

use skep_api::{
    Object,
    proto::{UpdateRequest, WriteResponse},
};
use skep_state::{Applied, Change, Precondition, State, Verb};

use super::{
    admission,
    commit::{Ahead, Commit, result_of},
    response,
};
use crate::{core::Core, failure::Failure};

/// Replaces an object, except for its status; a resourceVersion in it must be the stored one.
pub(crate) async fn update(core: &Core, request: UpdateRequest) -> Result<WriteResponse, Failure> {
    let options = request.options.as_ref();
    let commit = Commit::of(options)?;
    let document = admission::document(request.object)?;
    let decoded = admission::admit(document, admission::validation(options))?;
    match ahead(core, &commit, &decoded.object).await {
        Ok(applied) => return Ok(response(&applied.object, result_of(&applied), decoded.warnings)),
        Err(Ahead::Failed(failure)) => return Err(failure),
        Err(Ahead::LookAgain) => {}
    }
    let state = core.read(false).await?;
    if let Some(outcome) = commit.answered_before(&state) {
        let applied = outcome?;
        return Ok(response(&applied.object, result_of(&applied), decoded.warnings));
    }
    let live = live(&state, &decoded.object)?;
    let only_if = Precondition::of(&decoded.object);
    let new = carried_over(&live, decoded.object);
    admission::check_update(&live, &new)?;
    let mut warnings = decoded.warnings;
    warnings.extend(admission::outlook(&state, &new)?);
    let change = Change {
        only_if,
        verb: Verb::Update(Box::new(new)),
    };
    let applied = commit.write(core, &state, change).await?;
    Ok(response(&applied.object, result_of(&applied), warnings))
}

/// Replaces the object as this server has it, where it still is that one when the log takes the change.
async fn ahead(core: &Core, commit: &Commit, object: &Object) -> Result<Applied, Ahead> {
    if !admission::stands_alone(object) {
        return Err(Ahead::LookAgain);
    }
    let state = core.state();
    let live = live(&state, object).map_err(|_| Ahead::LookAgain)?;
    let named = Precondition::of(object);
    let seen = Precondition::of(&live);
    let differs = |named: bool| if named { Err(Ahead::LookAgain) } else { Ok(()) };
    differs(named.uid.is_some() && named.uid != seen.uid)?;
    differs(named.revision.is_some() && named.revision != seen.revision)?;
    let new = carried_over(&live, object.clone());
    admission::check_update(&live, &new).map_err(|_| Ahead::LookAgain)?;
    let change = Change {
        only_if: seen,
        verb: Verb::Update(Box::new(new)),
    };
    commit.write_ahead(core, &state, change).await
}

fn live(state: &State, object: &Object) -> Result<Arc<Object>, Failure> {
    let (kind, key) = (object.kind(), object.key());
    state
        .object(kind, &key)
        .cloned()
        .ok_or(Failure::NotFound(kind, key))
}

/// The new object with what people do not set taken from the one that is there.
pub(super) fn carried_over(live: &Object, mut new: Object) -> Object {
    let (old, meta) = (live.meta(), new.meta_mut());
    meta.uid.clone_from(&old.uid);
    meta.resource_version.clone_from(&old.resource_version);
    meta.generation = old.generation;
    meta.creation_timestamp = old.creation_timestamp;
    meta.deletion_timestamp = old.deletion_timestamp;
    meta.deletion_grace_period_seconds = old.deletion_grace_period_seconds;
    meta.generate_name.clone_from(&old.generate_name);
    new.copy_status(live);
    match (live, &mut new) {
        (Object::Namespace(live), Object::Namespace(new)) => {
            new.spec.finalizers.clone_from(&live.spec.finalizers);
        }
        (Object::Node(live), Object::Node(new)) if new.spec.pod_cidr.is_empty() => {
            new.spec.pod_cidr.clone_from(&live.spec.pod_cidr);
            new.spec.pod_cidrs.clone_from(&live.spec.pod_cidrs);
        }
        (Object::Pod(live), Object::Pod(new)) if new.spec.node_name.is_empty() => {
            new.spec.node_name.clone_from(&live.spec.node_name);
        }
        _ => {}
    }
    new
}
