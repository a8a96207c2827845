//! Revisions: which replica set stands for the present template, and what it is called.

use std::collections::BTreeMap;

use skep_api::{
    Deployment, Kind, ObjectKey, ObjectMeta, OwnerReference, ReplicaSet, ReplicaSetSpec, ReplicaSetStatus,
};

use super::{
    bounds::Bounds,
    rolling, scaling,
    sets::{SetView, Sets},
};
use crate::{
    Context,
    hash::{fnv, word},
    pods::same_template,
};

/// The label that tells a deployment's replica sets and their pods apart.
pub(crate) const POD_TEMPLATE_HASH: &str = "pod-template-hash";

pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";

/// A revision history is cut from its beginning at this many characters.
const HISTORY_CHARS_MAX: usize = 2000;

/// True where the set makes the pods that the deployment wants now.
pub(super) fn is_of_template(set: &ReplicaSet, deployment: &Deployment) -> bool {
    !set.metadata.is_deleting() && same_template(&set.spec.template, &deployment.spec.template)
}

/// Keeps the new set's and the deployment's notes on revisions, where there is a new set.
pub(super) fn follow(deployment: &mut Deployment, sets: &mut Sets<'_>) {
    let newest = sets.old.iter().map(|view| number(&view.set)).max().unwrap_or(0) + 1;
    let Some(new) = &mut sets.new else { return };
    if new.before.is_some() {
        copy_annotations(deployment, &mut new.set);
        raise_revision(&mut new.set, newest);
        new.set.spec.min_ready_seconds = deployment.spec.min_ready_seconds;
    }
    let revision = number(&new.set).to_string();
    if deployment.metadata.annotations.get(REVISION) != Some(&revision) {
        deployment
            .metadata
            .annotations
            .insert(REVISION.to_owned(), revision);
    }
}

/// As [`follow`], and adds a set for the template where there is none, as large as the bounds allow at once.
pub(super) fn follow_or_create<'a>(ctx: &Context<'a>, deployment: &mut Deployment, sets: &mut Sets<'a>) {
    if sets.new.is_none() {
        let newest = sets.old.iter().map(|view| number(&view.set)).max().unwrap_or(0) + 1;
        let set = new_set(ctx, deployment, newest);
        let view = SetView::to_create(ctx, set);
        sets.new = Some(view);
        rolling::grow_new(deployment, sets);
    }
    follow(deployment, sets);
}

/// The set's revision; 0 where it has none.
pub(super) fn number(set: &ReplicaSet) -> i64 {
    set.metadata
        .annotations
        .get(REVISION)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

fn new_set(ctx: &Context<'_>, deployment: &Deployment, revision: i64) -> ReplicaSet {
    let spec = &deployment.spec;
    let (name, hash) = free_name(ctx, deployment);
    let mut template = spec.template.clone();
    template
        .metadata
        .labels
        .insert(POD_TEMPLATE_HASH.to_owned(), hash.clone());
    let mut selector = spec.selector.clone();
    selector.match_labels.insert(POD_TEMPLATE_HASH.to_owned(), hash);
    let metadata = ObjectMeta {
        name,
        namespace: deployment.metadata.namespace.clone(),
        labels: template.metadata.labels.clone(),
        annotations: BTreeMap::from([(REVISION.to_owned(), revision.to_string())]),
        owner_references: vec![OwnerReference::controller_of(
            Kind::Deployment,
            &deployment.metadata,
        )],
        ..ObjectMeta::default()
    };
    let spec = ReplicaSetSpec {
        replicas: 0,
        min_ready_seconds: spec.min_ready_seconds,
        selector,
        template,
    };
    let mut set = ReplicaSet {
        metadata,
        spec,
        status: ReplicaSetStatus::default(),
    };
    copy_annotations(deployment, &mut set);
    scaling::note_size(deployment, &Bounds::of(deployment), &mut set);
    set
}

/// Name and hash for the template. The hash is of the template alone unless a set of that name is there already.
fn free_name(ctx: &Context<'_>, deployment: &Deployment) -> (String, String) {
    let template =
        serde_json::to_vec(&deployment.spec.template).expect("templates hold nothing that JSON cannot hold");
    let mut collisions: u32 = 0;
    loop {
        let salt = if collisions == 0 {
            Vec::new()
        } else {
            collisions.to_le_bytes().to_vec()
        };
        let hash = word(fnv(&[&template, &salt]), 10);
        let name = format!("{}-{hash}", deployment.metadata.name);
        let key = ObjectKey::new(&deployment.metadata.namespace, &name);
        if ctx.state.object(Kind::ReplicaSet, &key).is_none() {
            return (name, hash);
        }
        collisions += 1;
    }
}

/// The deployment's annotations are the set's as well, such as `kubernetes.io/change-cause`; the set's own stay.
fn copy_annotations(deployment: &Deployment, set: &mut ReplicaSet) {
    for (key, value) in &deployment.metadata.annotations {
        let own =
            key.starts_with("deployment.kubernetes.io/") || key.ends_with("/last-applied-configuration");
        if !own && set.metadata.annotations.get(key) != Some(value) {
            set.metadata.annotations.insert(key.clone(), value.clone());
        }
    }
}

/// The set of the present template has the highest revision: one that is used again gets a new number and remembers the old.
fn raise_revision(set: &mut ReplicaSet, newest: i64) {
    let old = number(set);
    if old >= newest {
        return;
    }
    let annotations = &mut set.metadata.annotations;
    if let Some(old) = annotations.insert(REVISION.to_owned(), newest.to_string()) {
        let history = annotations.entry(REVISION_HISTORY.to_owned()).or_default();
        if !history.is_empty() {
            history.push(',');
        }
        history.push_str(&old);
        while history.len() > HISTORY_CHARS_MAX {
            let end = history.find(',').map_or(history.len(), |comma| comma + 1);
            history.drain(..end);
        }
    }
}
