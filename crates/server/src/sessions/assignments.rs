//! What one node is to run, worked out from the state: a snapshot first, then what differs from what was sent.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use skep_api::{Kind, Object, ObjectKey, Pod, Resource as _, convert, proto};
use skep_state::State;

use super::{
    references::{Reference as Name, named_by},
    wakes::News,
};

/// What was sent to an agent.
pub(crate) struct Assignments {
    node: String,
    /// `None` before the first message.
    sent: Option<BTreeMap<Name, Arc<Object>>>,
    /// Config maps and secrets that pods of the node name, whether they are there or not, and how many pods do.
    named: BTreeMap<Name, usize>,
    /// True where others are named than when this was last asked.
    named_anew: bool,
}

impl Assignments {
    /// For an agent that was sent nothing yet.
    pub(crate) fn new(node: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            sent: None,
            named: BTreeMap::new(),
            named_anew: false,
        }
    }

    /// What to send so that the agent has what `state` says, where nothing but this has changed since the last time; `None`
    /// where it has it already. The first message says all there is, whatever the news.
    pub(crate) fn next(&mut self, state: &State, news: News) -> Option<proto::Assignments> {
        let snapshot = self.sent.is_none();
        let names = match news {
            News::Of(names) if !snapshot => names,
            _ => self.all(state),
        };
        let touched = self.follow(state, &names);
        let sent = self.sent.get_or_insert_default();
        let mut message = proto::Assignments {
            snapshot,
            revision: state.revision(),
            ..proto::Assignments::default()
        };
        for name in touched {
            let wanted = wanted(state, &self.node, &self.named, &name);
            let before = match wanted {
                Some(object) => sent.insert(name.clone(), object.clone()),
                None => sent.remove(&name),
            };
            if let Some(object) = wanted
                && before
                    .as_ref()
                    .is_none_or(|before| !Arc::ptr_eq(before, object) && differs(before, object))
            {
                message.upserts.push(convert::to_struct(object));
            }
            if let Some(before) = before
                && wanted.is_none_or(|object| object.meta().uid != before.meta().uid)
            {
                message.removals.push(removal(&name, &before));
            }
        }
        let is_news = snapshot || !message.upserts.is_empty() || !message.removals.is_empty();
        is_news.then_some(message)
    }

    /// The config maps and secrets that pods of the node name, where they are others than when this was last asked.
    pub(crate) fn take_named(&mut self) -> Option<BTreeSet<Name>> {
        std::mem::take(&mut self.named_anew).then(|| self.named.keys().cloned().collect())
    }

    /// All that the agent has or may have to have.
    fn all(&self, state: &State) -> BTreeSet<Name> {
        let known = self.sent.iter().flat_map(|sent| sent.keys());
        let pods = state.pods_on(&self.node);
        let pods = pods.map(|pod| (Kind::Pod, pod.metadata.key()));
        let node = (Kind::Node, ObjectKey::cluster(&self.node));
        let named = known.chain(self.named.keys()).cloned();
        named.chain(pods).chain([node]).collect()
    }

    /// Counts what the pods among the names name, now and when they were sent; the names, and those of all that came to be named
    /// or is not any more.
    fn follow(&mut self, state: &State, names: &BTreeSet<Name>) -> BTreeSet<Name> {
        let mut touched = names.clone();
        for name in names.iter().filter(|(kind, _)| *kind == Kind::Pod) {
            let before = self.sent.as_ref().and_then(|sent| sent.get(name));
            let before = before.and_then(|object| Pod::from_object(object)).map(named_by);
            let after = wanted(state, &self.node, &self.named, name);
            let after = after.and_then(|object| Pod::from_object(object)).map(named_by);
            for name in after.into_iter().flatten() {
                let pods = self.named.entry(name.clone()).or_default();
                *pods += 1;
                if *pods == 1 {
                    touched.insert(name);
                    self.named_anew = true;
                }
            }
            for name in before.into_iter().flatten() {
                let Some(pods) = self.named.get_mut(&name) else {
                    continue;
                };
                *pods -= 1;
                if *pods == 0 {
                    self.named.remove(&name);
                    touched.insert(name);
                    self.named_anew = true;
                }
            }
        }
        touched
    }
}

/// The object, where the agent is to have it.
fn wanted<'a>(
    state: &'a State,
    node: &str,
    named: &BTreeMap<Name, usize>,
    name: &Name,
) -> Option<&'a Arc<Object>> {
    let object = state.object(name.0, &name.1)?;
    let belongs = match &**object {
        Object::Node(_) => name.1.name == node,
        Object::Pod(pod) => pod.spec.node_name == node,
        _ => named.contains_key(name),
    };
    belongs.then_some(object)
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
    !before.meta().is_same_but_for_revision(after.meta())
        || match (before, after) {
            (Object::Pod(before), Object::Pod(after)) => before.spec != after.spec,
            (Object::Node(before), Object::Node(after)) => before.spec != after.spec,
            _ => true,
        }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use skep_api::Time;
    use skep_state::{Change, Entry, Verb};
    use skep_testkit::{config_map, namespace, node, pod, secret};

    use super::*;
    use crate::sessions::wakes::Wakes;

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
            told(told_a.next(&state, News::All)),
            "all: Node/a Secret/secret-of-a Pod/web-a"
        );
        assert_eq!(told(told_a.next(&state, News::All)), "nothing");
    }

    /// What an agent has that takes in all messages.
    #[derive(Default)]
    struct Told(BTreeMap<String, Object>);

    impl Told {
        fn take(&mut self, message: Option<proto::Assignments>) {
            let Some(message) = message else { return };
            if message.snapshot {
                self.0.clear();
            }
            for gone in message.removals {
                self.0.remove(&format!("{} {}", gone.kind, gone.uid));
            }
            for document in message.upserts {
                let mut object = convert::from_struct(document).unwrap();
                object.meta_mut().resource_version.clear();
                self.0
                    .insert(format!("{} {}", object.kind(), object.meta().uid), object);
            }
        }
    }

    /// One of a few objects comes, changes or goes.
    fn happening() -> impl Strategy<Value = (usize, usize, u8)> {
        (0..4_usize, 0..3_usize, 0..6_u8)
    }

    fn happens(state: &mut State, (what, number, how): (usize, usize, u8), step: usize) {
        let name = format!("n{number}");
        let mut object: Object = match what {
            0 => secret(&name).build().into(),
            1 => config_map(&name).build().into(),
            _ => {
                let mut pod = pod(&name).node(["a", "b", ""][usize::from(how) % 3]).build();
                let reference = json!([{ "name": format!("n{}", step % 3) }]);
                pod.spec.image_pull_secrets = serde_json::from_value(reference).unwrap();
                pod.spec.volumes = serde_json::from_value(
                    json!([{ "name": "v", "configMap": { "name": format!("n{}", step % 2) } }]),
                )
                .unwrap();
                pod.into()
            }
        };
        object.meta_mut().uid = format!("uid-{what}-{step}");
        let change = match state.object(object.kind(), &object.key()) {
            None => Change::create(object),
            Some(present) if how > 3 => {
                let grace_seconds = Some(0);
                let options = skep_state::DeleteOptions {
                    grace_seconds,
                    ..Default::default()
                };
                Change::delete(present, options)
            }
            Some(present) => {
                let mut changed = Object::clone(present);
                changed
                    .meta_mut()
                    .labels
                    .insert("step".to_owned(), step.to_string());
                Change::new(Verb::Update(Box::new(changed)))
            }
        };
        apply(state, change);
    }

    proptest! {
        #[test]
        fn an_agent_that_is_told_bit_by_bit_has_what_one_has_that_is_told_all_at_once(
            happenings in prop::collection::vec((happening(), any::<bool>()), 1..60),
        ) {
            let (mut state, wakes) = (state(), Wakes::default());
            let (mut sleeper, mut assignments) = (wakes.enter("a"), Assignments::new("a"));
            let mut agent = Told::default();
            for (step, (happening, looks)) in happenings.into_iter().enumerate() {
                let before = state.revision();
                happens(&mut state, happening, step);
                wakes.ring(state.changes_since(before).unwrap());
                if !looks {
                    continue;
                }
                let mut news = sleeper.news();
                while !news.is_none() {
                    agent.take(assignments.next(&state, news));
                    let named = assignments.take_named();
                    news = named.map_or_else(News::none, |named| sleeper.listen_for(named));
                }
                let mut fresh = Told::default();
                fresh.take(Assignments::new("a").next(&state, News::All));
                prop_assert_eq!(&agent.0, &fresh.0);
            }
        }
    }

    #[test]
    fn a_status_is_not_sent_back_to_the_one_who_wrote_it() {
        let mut assignments = Assignments::new("a");
        let mut state = state();
        assignments.next(&state, News::All);
        let key = ObjectKey::new("default", "web-a");
        let mut running = state.get::<skep_api::Pod>(&key).unwrap().clone();
        running.status.phase = skep_api::PodPhase::Running;
        apply(&mut state, Change::update_status(running.clone()));
        assert_eq!(told(assignments.next(&state, News::All)), "nothing");
        running.metadata.labels.insert("tier".into(), "front".into());
        apply(&mut state, Change::new(Verb::Update(Box::new(running.into()))));
        assert_eq!(told(assignments.next(&state, News::All)), "news: Pod/web-a");
    }

    #[test]
    fn a_pod_that_is_gone_is_removed_with_the_secret_only_it_named() {
        let mut assignments = Assignments::new("a");
        let mut state = state();
        assignments.next(&state, News::All);
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
            told(assignments.next(&state, News::All)),
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
        assignments.next(&state, News::All);
        apply(&mut state, Change::create(config_map("other").build()));
        assert_eq!(told(assignments.next(&state, News::All)), "nothing");
        apply(&mut state, Change::create(config_map("settings").build()));
        assert_eq!(
            told(assignments.next(&state, News::All)),
            "news: ConfigMap/settings"
        );
    }
}
