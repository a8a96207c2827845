//! What every cluster has from its first moment on.

use skep_api::{Kind, Namespace, NamespaceSpec, ObjectKey, ObjectMeta, default::NAMESPACE_FINALIZER};
use skep_controllers::{DEFAULTS_ANNOTATION, DEFAULTS_VERSION, SYSTEM_NAMESPACE, missing_defaults};
use skep_state::{Change, Refusal, State};

use crate::{
    clock::now,
    core::Core,
    failure::Failure,
    stamp::{stamp, stamp_new},
    write::{NAMESPACE_LABEL, SYSTEM_NAMESPACES},
};

/// Makes what is missing: namespaces, and the priority classes, tiers and pools that clusters come with.
pub(crate) async fn bootstrap(core: &Core) -> Result<(), Failure> {
    let changes = missing(&core.read(false).await?);
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
        .find(|refusal| !matches!(refusal, Refusal::AlreadyExists { .. } | Refusal::Conflict { .. }))
    {
        Some(refusal) => Err(refusal.into()),
        None => Ok(()),
    }
}

fn missing(state: &State) -> Vec<Change> {
    let absent = |name: &&str| {
        state
            .object(Kind::Namespace, &ObjectKey::cluster(*name))
            .is_none()
    };
    let namespaces = SYSTEM_NAMESPACES.into_iter().filter(absent).map(namespace);
    let mut changes: Vec<Change> = namespaces.map(Change::create).collect();
    changes.extend(missing_defaults(state));
    changes.extend(mark_installed(state));
    stamp_new(&mut changes, now());
    changes
}

/// Says that the defaults are installed, so that those that people delete do not come back.
fn mark_installed(state: &State) -> Option<Change> {
    let mut namespace = state
        .get::<Namespace>(&ObjectKey::cluster(SYSTEM_NAMESPACE))?
        .clone();
    let annotations = &mut namespace.metadata.annotations;
    let version = DEFAULTS_VERSION.to_string();
    let known = annotations
        .get(DEFAULTS_ANNOTATION)
        .and_then(|text| text.parse::<u32>().ok());
    // An older server among newer ones does not set the version back.
    if known.is_some_and(|known| known >= DEFAULTS_VERSION) {
        return None;
    }
    annotations.insert(DEFAULTS_ANNOTATION.to_owned(), version);
    Some(Change::update(namespace))
}

fn namespace(name: &str) -> Namespace {
    let mut metadata = ObjectMeta {
        name: name.to_owned(),
        ..ObjectMeta::default()
    };
    metadata
        .labels
        .insert(NAMESPACE_LABEL.to_owned(), name.to_owned());
    if name == SYSTEM_NAMESPACE {
        let version = DEFAULTS_VERSION.to_string();
        metadata
            .annotations
            .insert(DEFAULTS_ANNOTATION.to_owned(), version);
    }
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
