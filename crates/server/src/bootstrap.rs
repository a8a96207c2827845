//! What every cluster has from its first moment on.

use skep_api::{Kind, Namespace, NamespaceSpec, ObjectKey, ObjectMeta, default::NAMESPACE_FINALIZER};
use skep_state::{Change, Refusal};

use crate::{
    clock::now,
    core::Core,
    failure::Failure,
    stamp::stamp,
    write::{NAMESPACE_LABEL, SYSTEM_NAMESPACES},
};

/// Makes the namespaces that are missing.
pub(crate) async fn bootstrap(core: &Core) -> Result<(), Failure> {
    let state = core.read(false).await?;
    let missing = |name: &&str| {
        state
            .object(Kind::Namespace, &ObjectKey::cluster(*name))
            .is_none()
    };
    let changes: Vec<Change> = SYSTEM_NAMESPACES
        .into_iter()
        .filter(missing)
        .map(|name| Change::create(namespace(name)))
        .collect();
    if changes.is_empty() {
        return Ok(());
    }
    let refusals = core
        .propose("", changes)
        .await?
        .into_iter()
        .filter_map(Result::err);
    match refusals
        .into_iter()
        .find(|refusal| !matches!(refusal, Refusal::AlreadyExists { .. }))
    {
        Some(refusal) => Err(refusal.into()),
        None => Ok(()),
    }
}

fn namespace(name: &str) -> Namespace {
    let mut metadata = ObjectMeta {
        name: name.to_owned(),
        ..ObjectMeta::default()
    };
    metadata
        .labels
        .insert(NAMESPACE_LABEL.to_owned(), name.to_owned());
    stamp(&mut metadata, now());
    let spec = NamespaceSpec {
        finalizers: vec![NAMESPACE_FINALIZER.to_owned()],
    };
    Namespace {
        metadata,
        spec,
        ..Namespace::default()
    }
}
