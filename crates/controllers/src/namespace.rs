//! Namespace deletion: its contents go first.

use std::time::Duration;

use skep_api::{Kind, Namespace, Object, ObjectKey, Resource};
use skep_state::{Change, DeleteOptions, State, StateEvent};

use crate::{Context, Controller, Reconciled};

/// The finalizer that stands for a namespace's contents.
const CONTENTS: &str = "kubernetes";

/// How many objects are deleted in one pass; the rest follows in the next.
const OBJECTS_PER_PASS_MAX: usize = 500;

/// Empties namespaces that are being deleted, and lets them go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NamespaceController;

impl Controller for NamespaceController {
    fn name(&self) -> &'static str {
        "namespace-controller"
    }

    fn wakes(&self, state: &State, event: &StateEvent) -> Vec<ObjectKey> {
        let name = match event.kind {
            Kind::Namespace => &event.key.name,
            _ if event.after.is_none() => &event.key.namespace,
            _ => return Vec::new(),
        };
        let key = ObjectKey::cluster(name);
        if going(state, &key).is_some() {
            vec![key]
        } else {
            Vec::new()
        }
    }

    fn all(&self, state: &State) -> Vec<ObjectKey> {
        let keys = state.list::<Namespace>(None).map(Resource::key);
        keys.filter(|key| going(state, key).is_some()).collect()
    }

    fn reconcile(&self, ctx: &Context<'_>, key: &ObjectKey) -> Reconciled {
        let mut result = Reconciled::default();
        let Some(namespace) = going(ctx.state, key) else {
            return result;
        };
        let mut contents = contents(ctx.state, &key.name).peekable();
        if contents.peek().is_none() {
            let mut namespace = namespace.clone();
            namespace
                .spec
                .finalizers
                .retain(|finalizer| finalizer != CONTENTS);
            result.changes.push(Change::update(namespace));
            return result;
        }
        let mut standing = contents.filter(|object| !object.meta().is_deleting());
        let deletions = standing.by_ref().take(OBJECTS_PER_PASS_MAX);
        result
            .changes
            .extend(deletions.map(|object| Change::delete(object, DeleteOptions::default())));
        if standing.next().is_some() {
            result.again_in = Some(Duration::ZERO);
        }
        result
    }
}

/// The namespace, where it is being deleted and waits for its contents.
fn going<'a>(state: &'a State, key: &ObjectKey) -> Option<&'a Namespace> {
    state.get::<Namespace>(key).filter(|namespace| {
        let held = namespace
            .spec
            .finalizers
            .iter()
            .any(|finalizer| finalizer == CONTENTS);
        namespace.metadata.is_deleting() && held
    })
}

/// Those that make others first: what is created last. Events are many, and make nothing.
fn contents<'a>(state: &'a State, namespace: &'a str) -> impl Iterator<Item = &'a Object> {
    let makers = Kind::ALL.into_iter().rev();
    let makers = makers.filter(|kind| kind.namespaced() && *kind != Kind::Event);
    makers
        .chain([Kind::Event])
        .flat_map(move |kind| state.objects(kind, Some(namespace)))
        .map(AsRef::as_ref)
}
