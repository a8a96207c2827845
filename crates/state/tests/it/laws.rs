//! What holds for every history of proposals.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use skep_api::{
    Condition, ConditionStatus, Kind, LabelSelector, LabelSelectorOperator, LabelSelectorRequirement, Object,
    ObjectKey, ObjectMeta, OwnerReference, Pod, PodPhase, ReplicaSet, well_known,
};
use skep_state::{
    Change, DeleteOptions, Effect, Entry, Outcome, PodCounts, Precondition, Propagation, Restore, Sent,
    State, StateEvent, Verb, fold_copies,
};
use skep_testkit::{at, config_map, deployment, namespace, node, pod, replica_set};

const KINDS: [Kind; 6] = [
    Kind::Namespace,
    Kind::Node,
    Kind::ConfigMap,
    Kind::Pod,
    Kind::Deployment,
    Kind::ReplicaSet,
];
const NAMES: [&str; 3] = ["a", "b", "c"];

/// A proposal in terms of what is there when it is made.
#[derive(Clone, Debug)]
struct Wish {
    kind: Kind,
    namespace: &'static str,
    name: &'static str,
    act: Act,
    /// Whether the precondition names the present revision, another one, or none.
    revision: Option<bool>,
    remembered: bool,
    sent: bool,
}

#[derive(Clone, Debug)]
enum Act {
    Create {
        owner: Option<&'static str>,
        finalizer: bool,
    },
    Label(u8),
    Spec(u8),
    Own(Option<&'static str>),
    Finalize(bool),
    Report(u8),
    Delete(DeleteOptions),
    Bind(&'static str),
}

fn acts() -> impl Strategy<Value = Act> {
    let name = prop::sample::select(&NAMES[..]);
    let propagation = prop::sample::select(vec![
        Propagation::Background,
        Propagation::Foreground,
        Propagation::Orphan,
    ]);
    let options =
        (prop::option::of(-1i64..60), propagation).prop_map(|(grace_seconds, propagation)| DeleteOptions {
            grace_seconds,
            propagation,
        });
    prop_oneof![
        4 => (prop::option::of(name.clone()), any::<bool>()).prop_map(|(owner, finalizer)| Act::Create { owner, finalizer }),
        1 => (0u8..3).prop_map(Act::Label),
        1 => (0u8..3).prop_map(Act::Spec),
        1 => prop::option::of(name.clone()).prop_map(Act::Own),
        2 => any::<bool>().prop_map(Act::Finalize),
        1 => (0u8..3).prop_map(Act::Report),
        2 => options.prop_map(Act::Delete),
        2 => name.prop_map(Act::Bind),
    ]
}

fn wishes() -> impl Strategy<Value = Vec<Wish>> {
    let wish = (
        prop::sample::select(&KINDS[..]),
        prop::sample::select(&NAMES[..2]),
        prop::sample::select(&NAMES[..]),
        acts(),
        prop::option::of(prop::bool::weighted(0.8)),
        any::<(bool, bool)>(),
    )
        .prop_map(
            |(kind, namespace, name, act, revision, (remembered, sent))| Wish {
                kind,
                namespace: if kind.namespaced() { namespace } else { "" },
                name,
                act,
                revision,
                remembered,
                sent,
            },
        );
    let space = |name| Wish {
        kind: Kind::Namespace,
        namespace: "",
        name,
        act: Act::Create {
            owner: None,
            finalizer: false,
        },
        revision: None,
        remembered: false,
        sent: false,
    };
    prop::collection::vec(wish, 1..100)
        .prop_map(move |wishes| [space("a"), space("b")].into_iter().chain(wishes).collect())
}

impl Wish {
    fn key(&self) -> ObjectKey {
        ObjectKey::new(self.namespace, self.name)
    }

    fn entry(&self, state: &State, step: usize) -> Entry {
        let request_id = if self.remembered {
            format!("r{step}")
        } else {
            String::new()
        };
        let now = at(step as u64);
        Entry {
            request_id,
            sent: self.sent.then(|| Sent {
                by: 1,
                number: step as u64,
                settled: (step as u64).saturating_sub(3),
            }),
            now,
            changes: self.change(state, step).into_iter().collect(),
        }
    }

    /// `None` where the wish is about something that is not there to be changed.
    fn change(&self, state: &State, step: usize) -> Option<Change> {
        let present = state.object(self.kind, &self.key());
        let verb = match &self.act {
            Act::Create { owner, finalizer } => Verb::Create(Box::new(self.fresh(step, *owner, *finalizer))),
            Act::Delete(options) => Verb::Delete {
                kind: self.kind,
                key: self.key(),
                options: options.clone(),
            },
            Act::Bind(node) => Verb::Bind {
                pod: self.key(),
                node: (*node).to_owned(),
            },
            Act::Report(number) => Verb::UpdateStatus(Box::new(reported(present?, *number))),
            change => Verb::Update(Box::new(changed(present?, change))),
        };
        let revision = match (&self.act, self.revision) {
            (Act::Create { .. }, _) | (_, None) => None,
            (_, Some(true)) => present.map(|object| object.meta().revision()),
            (_, Some(false)) => Some(0),
        };
        Some(Change {
            only_if: Precondition { uid: None, revision },
            verb,
        })
    }

    fn fresh(&self, step: usize, owner: Option<&str>, finalizer: bool) -> Object {
        let mut object: Object = match self.kind {
            Kind::Namespace => namespace(self.name).into(),
            Kind::Node => node(self.name).into(),
            Kind::Pod => pod(self.name).into(),
            Kind::Deployment => deployment(self.name, 1).into(),
            Kind::ReplicaSet => replica_set(self.name, 1).into(),
            _ => config_map(self.name).into(),
        };
        let meta = object.meta_mut();
        self.namespace.clone_into(&mut meta.namespace);
        meta.uid = format!("uid-{step}");
        meta.finalizers.extend(finalizer.then(|| "x/one".to_owned()));
        meta.owner_references.extend(owner.map(owned_by));
        object
    }
}

fn owned_by(owner: &str) -> OwnerReference {
    OwnerReference {
        uid: format!("owner-{owner}"),
        name: owner.to_owned(),
        controller: owner != "c",
        ..OwnerReference::default()
    }
}

fn changed(object: &Object, act: &Act) -> Object {
    let mut object = object.clone();
    let meta = object.meta_mut();
    match act {
        Act::Label(number) => {
            meta.labels.insert("k".to_owned(), number.to_string());
            let marks = &mut meta.annotations;
            match number {
                2 => drop(marks.insert(well_known::REPLACED_UNTIL.to_owned(), String::new())),
                _ => drop(marks.remove(well_known::REPLACED_UNTIL)),
            }
        }
        Act::Own(owner) => meta.owner_references = owner.iter().map(|owner| owned_by(owner)).collect(),
        Act::Finalize(true) => meta.finalizers.push("x/two".to_owned()),
        Act::Finalize(false) => meta.finalizers.clear(),
        _ => {}
    }
    match (&mut object, act) {
        (Object::Namespace(space), Act::Finalize(false)) => space.spec.finalizers.clear(),
        (Object::ConfigMap(map), Act::Spec(number)) => {
            drop(map.data.insert("k".to_owned(), number.to_string()));
        }
        (Object::Deployment(web), Act::Spec(number)) => web.spec.replicas = i32::from(*number),
        (Object::ReplicaSet(set), Act::Spec(number)) => {
            set.spec.selector = selectors()[usize::from(*number)].clone();
        }
        (Object::Pod(pod), Act::Spec(number)) => pod.spec.node_name = NAMES[usize::from(*number)].to_owned(),
        _ => {}
    }
    object
}

fn reported(object: &Object, number: u8) -> Object {
    let mut object = object.clone();
    match &mut object {
        Object::Pod(pod) => {
            pod.status.message = number.to_string();
            pod.status.phase = [PodPhase::Pending, PodPhase::Running, PodPhase::Failed][usize::from(number)];
            let ready = if number == 1 {
                ConditionStatus::True
            } else {
                ConditionStatus::False
            };
            Condition::set(&mut pod.status.conditions, Condition::new("Ready", ready, "", ""));
        }
        Object::Deployment(web) => web.status.replicas = i32::from(number),
        Object::Node(node) => node.status.node_info.kernel_version = number.to_string(),
        _ => {}
    }
    object
}

fn objects(state: &State) -> BTreeMap<(Kind, ObjectKey), Arc<Object>> {
    let all = Kind::ALL.into_iter().flat_map(|kind| state.objects(kind, None));
    all.map(|object| ((object.kind(), object.key()), object.clone()))
        .collect()
}

fn restored(state: &State) -> State {
    let mut restore = Restore::default();
    for record in state.records() {
        restore.push(&record).unwrap();
    }
    restore.finish().unwrap()
}

/// Some that choose between the labels that pods have here.
fn selectors() -> [LabelSelector; 4] {
    let asks = |labels: &[(&str, &str)], exists: &[&str]| LabelSelector {
        match_labels: labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        match_expressions: exists
            .iter()
            .map(|key| LabelSelectorRequirement {
                key: (*key).to_owned(),
                operator: LabelSelectorOperator::Exists,
                values: Vec::new(),
            })
            .collect(),
    };
    [
        asks(&[("k", "0")], &[]),
        asks(&[("k", "1")], &["k"]),
        asks(&[], &["k"]),
        asks(&[("k", "1"), ("x", "y")], &[]),
    ]
}

/// What owners select and who selects it, by way of the indexes.
fn selected_by_index(state: &State) -> Vec<String> {
    let selectors = selectors();
    let found = selectors
        .iter()
        .flat_map(|selector| state.unmanaged(Kind::Pod, "a", selector));
    let mut found: Vec<_> = found.map(|pod| pod.key().to_string()).collect();
    for pod in state.objects(Kind::Pod, Some("a")) {
        let labels = &pod.meta().labels;
        let sets = state.selecting(Kind::ReplicaSet, "a", labels);
        let mut sets: Vec<_> = sets.map(|set| set.key().to_string()).collect();
        sets.sort();
        found.extend(sets);
    }
    found
}

/// The same by looking at every object.
fn selected_by_scan(state: &State) -> Vec<String> {
    let mut found = Vec::new();
    let pods = || state.objects(Kind::Pod, Some("a"));
    for selector in selectors() {
        let selected =
            pods().filter(|pod| pod.meta().controller().is_none() && selector.matches(&pod.meta().labels));
        found.extend(selected.map(|pod| pod.key().to_string()));
    }
    for pod in pods() {
        let sets = state.list::<ReplicaSet>(Some("a"));
        let selecting = sets.filter(|set| set.spec.selector.matches(&pod.meta().labels));
        found.extend(selecting.map(|set| set.metadata.key().to_string()));
    }
    found
}

/// Uids, dependents by owner and pods by node, by way of the indexes.
fn by_index(state: &State) -> Vec<String> {
    let owners = NAMES.map(|name| format!("owner-{name}"));
    let uids = (0..200).filter_map(|step| state.by_uid(&format!("uid-{step}")));
    let owned = owners.iter().flat_map(|owner| state.owned_by(owner));
    let found = uids
        .chain(owned)
        .map(|object| format!("{} {}", object.kind(), object.key()));
    let pods = NAMES.iter().chain(&[""]).map(|node| {
        let pods = if node.is_empty() {
            state.unbound_pods().collect()
        } else {
            state.pods_on(node).collect::<Vec<_>>()
        };
        let keys: Vec<_> = pods.iter().map(|pod| pod.metadata.key().to_string()).collect();
        keys.join(" ")
    });
    let owners = owners.iter().map(|owner| {
        let groups = state.pods_managed_by(owner).iter();
        let told: BTreeSet<_> = groups
            .map(|group| format!("{:?} {:?}", group.labels, group.counts))
            .collect();
        format!("{owner} {told:?}")
    });
    found.chain(pods).chain(owners).collect()
}

/// The pods that an owner manages, counted one by one.
fn counted(state: &State, owner: &str) -> String {
    let managed = state.list::<Pod>(None).filter(|pod| {
        pod.metadata
            .controller()
            .is_some_and(|managing| managing.uid == owner)
    });
    let mut by_labels: BTreeMap<_, PodCounts> = BTreeMap::new();
    for pod in managed {
        let counts = by_labels.entry(&pod.metadata.labels).or_default();
        let active = !pod.is_terminal() && !pod.metadata.is_deleting();
        counts.all += 1;
        counts.ended += usize::from(pod.is_terminal());
        counts.active += usize::from(active);
        counts.ready += usize::from(active && pod.is_ready());
        let marked = pod.metadata.annotations.contains_key(well_known::REPLACED_UNTIL);
        counts.replaced += usize::from(active && marked);
    }
    let told: BTreeSet<_> = by_labels
        .iter()
        .map(|(labels, counts)| format!("{labels:?} {counts:?}"))
        .collect();
    format!("{owner} {told:?}")
}

/// The same by looking at every object.
fn by_scan(state: &State) -> Vec<String> {
    let all = objects(state);
    let name = |object: &Arc<Object>| format!("{} {}", object.kind(), object.key());
    let mut found = Vec::new();
    for step in 0..200 {
        found.extend(
            all.values()
                .filter(|object| object.meta().uid == format!("uid-{step}"))
                .map(name),
        );
    }
    for owner in NAMES.map(|name| format!("owner-{name}")) {
        let owned = |object: &&Arc<Object>| {
            object
                .meta()
                .owner_references
                .iter()
                .any(|have| have.uid == owner)
        };
        found.extend(all.values().filter(owned).map(name));
    }
    for node in NAMES.iter().chain(&[""]) {
        let on_node =
            |object: &&Arc<Object>| matches!(&***object, Object::Pod(pod) if pod.spec.node_name == **node);
        found.push(
            all.values()
                .filter(on_node)
                .map(|pod| pod.key().to_string())
                .collect::<Vec<_>>()
                .join(" "),
        );
    }
    found.extend(NAMES.map(|name| counted(state, &format!("owner-{name}"))));
    found
}

fn check_revisions(before: u64, state: &State, outcomes: &[Outcome]) {
    let effective = outcomes
        .iter()
        .flatten()
        .filter(|applied| applied.effect != Effect::Nothing);
    let revisions: Vec<_> = effective.map(|applied| applied.revision).collect();
    let expected: Vec<_> = (before + 1..=state.revision()).collect();
    assert_eq!(
        revisions, expected,
        "each effective change takes the next revision"
    );
}

fn check_nothing_lingers(state: &State) {
    for object in objects(state).values() {
        let meta = object.meta();
        let held = !meta.finalizers.is_empty()
            || matches!(&**object, Object::Namespace(space) if !space.spec.finalizers.is_empty())
            || meta.deletion_grace_period_seconds.unwrap_or(0) > 0;
        assert!(
            !meta.is_deleting() || held,
            "{} {} lingers",
            object.kind(),
            object.key()
        );
    }
}

fn check_event(event: &StateEvent) {
    let (Some(before), Some(after)) = (&event.before, &event.after) else {
        return;
    };
    let (old, new) = (before.meta(), after.meta());
    assert_eq!(
        (&old.uid, old.creation_timestamp),
        (&new.uid, new.creation_timestamp)
    );
    assert_eq!(new.revision(), event.revision);
    assert!(new.generation == old.generation || new.generation == old.generation + 1);
    let same = intent(before) == intent(after);
    assert_eq!(
        new.generation == old.generation,
        same,
        "the generation counts changes of intent"
    );
    if old.is_deleting() {
        assert!(new.deletion_timestamp.is_some() && new.deletion_timestamp <= old.deletion_timestamp);
        assert!(new.deletion_grace_period_seconds <= old.deletion_grace_period_seconds);
        let had: BTreeSet<_> = old.finalizers.iter().collect();
        assert!(
            new.finalizers.iter().all(|name| had.contains(name)),
            "a finalizer was added to a deleted object"
        );
    }
}

/// What people want of an object: neither metadata nor status, nor where a pod was put.
fn intent(object: &Object) -> Object {
    let mut object = object.clone();
    *object.meta_mut() = ObjectMeta::default();
    match &mut object {
        Object::Namespace(space) => space.status = Default::default(),
        Object::Node(node) => node.status = Default::default(),
        Object::Pod(pod) => {
            pod.status = Default::default();
            pod.spec.node_name.clear();
        }
        Object::Deployment(web) => web.status = Default::default(),
        Object::ReplicaSet(set) => set.status = Default::default(),
        _ => {}
    }
    object
}

/// The objects that the events after a revision make of those before it.
fn replayed(earlier: &State, state: &State) -> BTreeMap<(Kind, ObjectKey), Arc<Object>> {
    let mut all = objects(earlier);
    for event in state.changes_since(earlier.revision()).unwrap() {
        let id = (event.kind, (*event.key).clone());
        assert_eq!(
            all.get(&id),
            event.before.as_ref(),
            "an event's `before` is what was there"
        );
        match &event.after {
            Some(object) => all.insert(id, object.clone()),
            None => all.remove(&id),
        };
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_history_keeps_the_laws(wishes in wishes(), middle in any::<prop::sample::Index>()) {
        let mut state = State::default();
        let (mut entries, mut outcomes, mut earlier) = (Vec::new(), Vec::new(), State::default());
        for (step, wish) in wishes.iter().enumerate() {
            let entry = wish.entry(&state, step);
            let before = state.clone();
            let answer = state.apply(&entry);
            check_revisions(before.revision(), &state, &answer);
            check_nothing_lingers(&state);
            prop_assert_eq!(by_index(&state), by_scan(&state));
            prop_assert_eq!(selected_by_index(&state), selected_by_scan(&state));
            if wish.remembered || wish.sent {
                let after = state.clone();
                prop_assert_eq!(&state.apply(&entry), &answer, "a retry is answered as before");
                prop_assert!(state == after, "a retry changes nothing");
            }
            entries.push(entry);
            outcomes.push(answer);
            if step == middle.index(wishes.len()) {
                earlier = state.clone();
            }
        }
        state.changes_since(0).unwrap().for_each(|event| check_event(event));
        prop_assert_eq!(replayed(&State::default(), &state), objects(&state));
        prop_assert_eq!(replayed(&earlier, &state), objects(&state));

        let mut replica = State::default();
        let answers: Vec<_> = entries.iter().map(|entry| replica.apply(entry)).collect();
        prop_assert!(replica == state, "two replicas that apply the same entries are equal");
        prop_assert_eq!(answers, outcomes);

        let restored = restored(&state);
        prop_assert!(restored == state, "a snapshot restores the state");
        prop_assert_eq!(by_index(&restored), by_index(&state));
        prop_assert_eq!(selected_by_index(&restored), selected_by_scan(&state));
        prop_assert!(restored.records().eq(state.records()), "equal states give equal snapshots");
        prop_assert!(restored.changes_since(state.revision()).is_ok());
    }

    #[test]
    fn a_restored_state_goes_on_like_the_original(wishes in wishes(), middle in any::<prop::sample::Index>()) {
        let (mut state, mut copy) = (State::default(), None);
        for (step, wish) in wishes.iter().enumerate() {
            let entry = wish.entry(&state, step);
            let answer = state.apply(&entry);
            if let Some(copy) = &mut copy {
                prop_assert_eq!(State::apply(copy, &entry), answer);
            }
            if step == middle.index(wishes.len()) {
                copy = Some(restored(&state));
            }
        }
        prop_assert!(copy.is_some_and(|copy| copy == state));
    }

    #[test]
    fn a_refused_change_leaves_no_trace(wishes in wishes(), size in 1usize..6) {
        let mut state = State::default();
        for (number, wishes) in wishes.chunks(size).enumerate() {
            let changes = wishes.iter().enumerate();
            let changes = changes.filter_map(|(place, wish)| wish.change(&state, number * size + place));
            let entry = Entry { request_id: String::new(), sent: None, now: at(number as u64), changes: changes.collect() };
            let before = state.clone();
            let outcomes = state.apply(&entry);
            let all = entry.changes.iter().cloned().zip(&outcomes);
            let accepted = all.filter(|(_, outcome)| outcome.is_ok()).map(|(change, _)| change);

            let mut without = before.clone();
            let alone = without.apply(&Entry { changes: accepted.collect(), ..entry });
            prop_assert!(alone.iter().eq(outcomes.iter().filter(|outcome| outcome.is_ok())));
            prop_assert!(state == without, "the others do not notice that it was there");
            prop_assert_eq!(by_index(&state), by_index(&without));
            prop_assert!(state.records().eq(without.records()));
            let since = before.revision();
            prop_assert!(state.changes_since(since).unwrap().eq(without.changes_since(since).unwrap()));
            if alone.is_empty() {
                prop_assert!(state == before, "and on its own it changes nothing at all");
            }
        }
    }

    #[test]
    fn copies_that_are_said_once_come_to_the_same(wishes in wishes(), size in 1usize..9) {
        let (mut state, mut folding) = (State::default(), State::default());
        for (number, wishes) in wishes.chunks(size).enumerate() {
            let changes = wishes.iter().enumerate();
            let changes = changes.filter_map(|(place, wish)| wish.change(&state, number * size + place));
            let entry = Entry { request_id: String::new(), sent: None, now: at(number as u64), changes: changes.collect() };
            let folded = Entry { changes: fold_copies(entry.changes.clone()), ..entry.clone() };
            let folded: Entry = serde_json::from_slice(&serde_json::to_vec(&folded).unwrap()).unwrap();
            prop_assert_eq!(state.apply(&entry), folding.apply(&folded));
            prop_assert!(state == folding);
            prop_assert_eq!(by_index(&state), by_index(&folding));
        }
    }

    #[test]
    fn an_entry_is_the_same_after_the_log(wishes in wishes()) {
        let mut state = State::default();
        for (step, wish) in wishes.iter().enumerate() {
            let entry = wish.entry(&state, step);
            let json = serde_json::to_vec(&entry).unwrap();
            prop_assert_eq!(&serde_json::from_slice::<Entry>(&json).unwrap(), &entry);
            state.apply(&entry);
        }
    }
}
