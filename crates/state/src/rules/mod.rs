//! What each verb makes of an object: pure decisions, nothing is changed here.

mod bind;
mod create;
mod delete;
mod evict;
mod status;
mod update;

use std::sync::Arc;

use skep_api::{Kind, Object, ObjectKey};

use crate::{Precondition, Refusal, State};

pub(crate) use bind::bind;
pub(crate) use create::create;
pub(crate) use delete::delete;
pub use delete::{FOREGROUND_FINALIZER, ORPHAN_FINALIZER};
pub(crate) use evict::evict;
pub(crate) use status::update_status;
pub(crate) use update::update;

/// What is to be done with an object.
pub(crate) enum Step {
    /// It already is as it should be.
    Nothing(Arc<Object>),
    /// This is the object from now on.
    Put(Object),
    /// The object goes; this is how it last was.
    Remove(Object),
}

/// The object a change is about, where it is as the precondition says.
pub(crate) fn present<'a>(
    state: &'a State,
    kind: Kind,
    key: &ObjectKey,
    only_if: &Precondition,
) -> Result<&'a Arc<Object>, Refusal> {
    let current = state.object(kind, key).ok_or_else(|| Refusal::NotFound {
        kind,
        key: key.clone(),
    })?;
    let meta = current.meta();
    match (&only_if.uid, only_if.revision) {
        (Some(uid), _) if *uid != meta.uid => Err(conflict(
            current,
            format!(
                "its uid is {}, not {uid}: it was deleted and made again",
                meta.uid
            ),
        )),
        (_, Some(revision)) if revision != meta.revision() => Err(conflict(
            current,
            format!("its revision is {}, not {revision}", meta.resource_version),
        )),
        _ => Ok(current),
    }
}

fn conflict(object: &Object, why: impl Into<String>) -> Refusal {
    Refusal::Conflict {
        kind: object.kind(),
        key: object.key(),
        why: why.into(),
    }
}

fn invalid(kind: Kind, key: &ObjectKey, why: &str) -> Refusal {
    Refusal::Invalid(format!("{kind} {key}: {why}"))
}

/// The object stays while this holds, or goes at once where it is being deleted and nothing holds it any more.
fn put_or_remove(object: Object) -> Step {
    if is_done(&object) {
        Step::Remove(object)
    } else {
        Step::Put(object)
    }
}

/// True for an object that is being deleted, has no grace left to wait for and no finalizer that holds it.
fn is_done(object: &Object) -> bool {
    let meta = object.meta();
    meta.is_deleting()
        && meta.deletion_grace_period_seconds.unwrap_or(0) == 0
        && meta.finalizers.is_empty()
        && space_finalizers(object).is_empty()
}

/// The finalizers in a namespace's spec, which stand for its contents.
fn space_finalizers(object: &Object) -> &[String] {
    match object {
        Object::Namespace(namespace) => &namespace.spec.finalizers,
        _ => &[],
    }
}
