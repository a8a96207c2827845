//! What one node is to run, worked out from the state: a snapshot first, then what differs from what was sent.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use skep_api::{Kind, Object, ObjectKey, ObjectMeta, convert, proto};
use skep_state::State;

use super::references::{Reference as Name, named_by};

/// What was sent to an agent.
pub(crate) struct Assignments {
    node: String,
    sent: Option<BTreeMap<Name, Arc<Object>>>,
    /// Config maps and secrets that pods of the node name, whether they are there or not.
    named: BTreeSet<Name>,
}

impl Assignments {
    /// For an agent that was sent nothing yet.
    pub(crate) fn new(node: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            sent: None,
            named: BTreeSet::new(),
        }
    }

    /// What to send so that the agent has what `state` says; `None` where it has it already.
    pub(crate) fn next(&mut self, state: &State) -> Option<proto::Assignments> {
        let wanted = self.wanted(state);
        let message = match &self.sent {
            None => snapshot(&wanted, state.revision()),
            Some(sent) => difference(sent, &wanted, state.revision()),
        };
        let news = message.snapshot || !message.upserts.is_empty() || !message.removals.is_empty();
        self.sent = Some(wanted);
        news.then_some(message)
    }

    /// Config maps and secrets that pods of the node name, as of the last state looked at.
    pub(crate) fn named(&self) -> &BTreeSet<Name> {
        &self.named
    }

    fn wanted(&mut self, state: &State) -> BTreeMap<Name, Arc<Object>> {
        let pods: Vec<_> = state.pods_on(&self.node).collect();
        self.named = pods.iter().flat_map(|pod| named_by(pod)).collect();
        let pods = pods.iter().map(|pod| (Kind::Pod, pod.metadata.key()));
        let node = (Kind::Node, ObjectKey::cluster(&self.node));
        self.named
            .iter()
            .cloned()
            .chain([node])
            .chain(pods)
            .filter_map(|name| state.object(name.0, &name.1).map(|object| (name, object.clone())))
            .collect()
    }
}

fn snapshot(wanted: &BTreeMap<Name, Arc<Object>>, revision: u64) -> proto::Assignments {
    proto::Assignments {
        snapshot: true,
        upserts: wanted.values().map(|object| convert::to_struct(object)).collect(),
        removals: Vec::new(),
        revision,
    }
}

fn difference(
    sent: &BTreeMap<Name, Arc<Object>>,
    wanted: &BTreeMap<Name, Arc<Object>>,
    revision: u64,
) -> proto::Assignments {
    let news = wanted.iter().filter(|(name, object)| {
        sent.get(*name)
            .is_none_or(|before| !Arc::ptr_eq(before, object) && differs(before, object))
    });
    let gone = sent.iter().filter(|(name, before)| {
        wanted
            .get(*name)
            .is_none_or(|object| object.meta().uid != before.meta().uid)
    });
    proto::Assignments {
        snapshot: false,
        upserts: news.map(|(_, object)| convert::to_struct(object)).collect(),
        removals: gone.map(|(name, before)| removal(name, before)).collect(),
        revision,
    }
}

fn removal((kind, key): &Name, object: &Object) -> proto::Removal {
    proto::Removal {
        kind: kind.as_str().to_owned(),
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        uid: object.meta().uid.clone(),
    }
}

/// Whether an agent has to know: it wrote the status itself.
pub(super) fn differs(before: &Object, after: &Object) -> bool {
    meta_differs(before.meta(), after.meta())
        || match (before, after) {
            (Object::Pod(before), Object::Pod(after)) => before.spec != after.spec,
            (Object::Node(before), Object::Node(after)) => before.spec != after.spec,
            _ => true,
        }
}

/// Whether metadata differ in more than the revision.
fn meta_differs(before: &ObjectMeta, after: &ObjectMeta) -> bool {
    let ObjectMeta {
        name,
        generate_name,
        namespace,
        labels,
        annotations,
        uid,
        resource_version: _,
        generation,
        creation_timestamp,
        deletion_timestamp,
        deletion_grace_period_seconds,
        owner_references,
        finalizers,
    } = before;
    *labels != after.labels
        || *annotations != after.annotations
        || *deletion_timestamp != after.deletion_timestamp
        || *deletion_grace_period_seconds != after.deletion_grace_period_seconds
        || *generation != after.generation
        || *finalizers != after.finalizers
        || *owner_references != after.owner_references
        || *creation_timestamp != after.creation_timestamp
        || [name, generate_name, namespace, uid]
            != [&after.name, &after.generate_name, &after.namespace, &after.uid]
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use skep_api::Time;
    use skep_state::{Change, Entry, Verb};
    use skep_testkit::{config_map, namespace, node, pod, secret};

    use super::*;

    fn apply(state: &mut State, change: Change) {
        let entry = Entry {
            request_id: String::new(),
            sent: None,
            now: Time::from_secs(0),
            changes: vec![change],
        };
        for outcome in state.apply(&entry) {
            outcome.expect("the change is accepted");
        }
    }

    fn state() -> State {
        let mut state = State::default();
        apply(&mut state, Change::create(namespace("default").build()));
        for name in ["a", "b"] {
            apply(&mut state, Change::create(node(name).build()));
            apply(&mut state, Change::create(pod_on(name)));
            apply(
                &mut state,
                Change::create(secret(&format!("secret-of-{name}")).build()),
            );
        }
        state
    }

    fn pod_on(node: &str) -> Object {
        let mut pod = pod(&format!("web-{node}")).node(node).build();
        pod.spec.image_pull_secrets =
            serde_json::from_value(json!([{ "name": format!("secret-of-{node}") }])).unwrap();
        pod.into()
    }

    fn told(message: Option<proto::Assignments>) -> String {
        let Some(message) = message else {
            return "nothing".to_owned();
        };
        let name = |document: skep_api::Struct| {
            let object = convert::from_struct(document).unwrap();
            format!(" {}/{}", object.kind(), object.meta().name)
        };
        let upserts: String = message.upserts.into_iter().map(name).collect();
        let removals: String = message
            .removals
            .into_iter()
            .map(|gone| format!(" -{}/{}", gone.kind, gone.name))
            .collect();
        format!(
            "{}{upserts}{removals}",
            if message.snapshot { "all:" } else { "news:" }
        )
    }

    #[test]
    fn a_node_is_told_its_own_pods_and_the_secrets_they_name_and_no_others() {
        let mut told_a = Assignments::new("a");
        let state = state();
        assert_eq!(
            told(told_a.next(&state)),
            "all: Node/a Secret/secret-of-a Pod/web-a"
        );
        assert_eq!(told(told_a.next(&state)), "nothing");
    }

    #[test]
    fn a_status_is_not_sent_back_to_the_one_who_wrote_it() {
        let mut assignments = Assignments::new("a");
        let mut state = state();
        assignments.next(&state);
        let key = ObjectKey::new("default", "web-a");
        let mut running = state.get::<skep_api::Pod>(&key).unwrap().clone();
        running.status.phase = skep_api::PodPhase::Running;
        apply(&mut state, Change::update_status(running.clone()));
        assert_eq!(told(assignments.next(&state)), "nothing");
        running.metadata.labels.insert("tier".into(), "front".into());
        apply(&mut state, Change::new(Verb::Update(Box::new(running.into()))));
        assert_eq!(told(assignments.next(&state)), "news: Pod/web-a");
    }

    #[test]
    fn a_pod_that_is_gone_is_removed_with_the_secret_only_it_named() {
        let mut assignments = Assignments::new("a");
        let mut state = state();
        assignments.next(&state);
        let object = state
            .object(Kind::Pod, &ObjectKey::new("default", "web-a"))
            .unwrap()
            .clone();
        let options = skep_state::DeleteOptions {
            grace_seconds: Some(0),
            ..Default::default()
        };
        apply(&mut state, Change::delete(&object, options));
        assert_eq!(
            told(assignments.next(&state)),
            "news: -Secret/secret-of-a -Pod/web-a"
        );
    }

    #[test]
    fn what_a_pod_names_is_sent_once_it_is_made() {
        let mut assignments = Assignments::new("a");
        let mut state = state();
        let mut pod = pod("late").node("a").build();
        pod.spec.volumes =
            serde_json::from_value(json!([{ "name": "v", "configMap": { "name": "settings" } }])).unwrap();
        apply(&mut state, Change::create(pod));
        assignments.next(&state);
        apply(&mut state, Change::create(config_map("other").build()));
        assert_eq!(told(assignments.next(&state)), "nothing");
        apply(&mut state, Change::create(config_map("settings").build()));
        assert_eq!(told(assignments.next(&state)), "news: ConfigMap/settings");
    }
}
