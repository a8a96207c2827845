//! Which sessions a change concerns: the others sleep on, however many there are.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard},
};

use skep_api::{Kind, Object};
use skep_state::StateEvent;
use tokio::sync::Notify;

use super::{assignments::differs, references::Reference};
use crate::core::Core;

/// Wakes the sessions of nodes that a change is about, and those whose pods name what has changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wakes(Arc<Mutex<Sleepers>>);

#[derive(Debug, Default)]
struct Sleepers {
    next: u64,
    bells: BTreeMap<u64, Arc<Notify>>,
    /// A node has two of them for a moment when its agent comes back.
    by_node: HashMap<String, BTreeSet<u64>>,
    by_reference: HashMap<Reference, BTreeSet<u64>>,
}

/// A session that is woken; not any more once dropped.
#[derive(Debug)]
pub(crate) struct Sleeper {
    wakes: Wakes,
    number: u64,
    node: String,
    names: BTreeSet<Reference>,
    bell: Arc<Notify>,
}

impl Wakes {
    /// A session of this node, which is woken by all that happens from now on.
    pub(crate) fn enter(&self, node: &str) -> Sleeper {
        let bell = Arc::new(Notify::new());
        let mut sleepers = self.lock();
        let number = sleepers.next;
        sleepers.next += 1;
        sleepers.bells.insert(number, bell.clone());
        sleepers
            .by_node
            .entry(node.to_owned())
            .or_default()
            .insert(number);
        Sleeper {
            wakes: self.clone(),
            number,
            node: node.to_owned(),
            names: BTreeSet::new(),
            bell,
        }
    }

    /// Wakes those whom the changes concern.
    fn ring<'a>(&self, events: impl Iterator<Item = &'a Arc<StateEvent>>) {
        let sleepers = self.lock();
        for event in events {
            sleepers.ring(event);
        }
    }

    fn ring_all(&self) {
        self.lock().bells.values().for_each(|bell| bell.notify_one());
    }

    fn lock(&self) -> MutexGuard<'_, Sleepers> {
        self.0.lock().expect("no holder panics")
    }
}

impl Sleepers {
    fn ring(&self, event: &StateEvent) {
        match event.kind {
            Kind::Node => self.ring_node(&event.key.name),
            Kind::Pod if concerns_agents(event) => {
                for object in [&event.before, &event.after].into_iter().flatten() {
                    if let Object::Pod(pod) = &**object {
                        self.ring_node(&pod.spec.node_name);
                    }
                }
            }
            Kind::ConfigMap | Kind::Secret if !self.by_reference.is_empty() => {
                let reference = (event.kind, (*event.key).clone());
                self.ring_each(self.by_reference.get(&reference));
            }
            _ => {}
        }
    }

    fn ring_node(&self, node: &str) {
        self.ring_each(self.by_node.get(node));
    }

    fn ring_each(&self, numbers: Option<&BTreeSet<u64>>) {
        let bells = numbers.into_iter().flatten();
        bells
            .filter_map(|number| self.bells.get(number))
            .for_each(|bell| bell.notify_one());
    }
}

/// False where an agent, or whoever speaks for it, has written the status of a pod alone: there is nothing to tell it.
fn concerns_agents(event: &StateEvent) -> bool {
    match (&event.before, &event.after) {
        (Some(before), Some(after)) => differs(before, after),
        _ => true,
    }
}

impl Sleeper {
    /// Waits until something has happened that concerns the session, also where it has happened since the last time.
    pub(crate) async fn woken(&self) {
        self.bell.notified().await;
    }

    /// Is woken for these config maps and secrets from now on, and for no others. True where one of them is new: it may
    /// have changed before.
    pub(crate) fn listen_for(&mut self, names: &BTreeSet<Reference>) -> bool {
        if self.names == *names {
            return false;
        }
        let mut sleepers = self.wakes.lock();
        for gone in self.names.difference(names) {
            forget(&mut sleepers.by_reference, gone, self.number);
        }
        let mut is_new = false;
        for name in names.difference(&self.names) {
            is_new = true;
            let numbers = sleepers.by_reference.entry(name.clone()).or_default();
            numbers.insert(self.number);
        }
        drop(sleepers);
        self.names.clone_from(names);
        is_new
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let mut sleepers = self.wakes.lock();
        sleepers.bells.remove(&self.number);
        forget(&mut sleepers.by_node, &self.node, self.number);
        for name in &self.names {
            forget(&mut sleepers.by_reference, name, self.number);
        }
    }
}

fn forget<K: std::hash::Hash + Eq>(numbers: &mut HashMap<K, BTreeSet<u64>>, key: &K, number: u64) {
    if let Some(of_key) = numbers.get_mut(key) {
        of_key.remove(&number);
        if of_key.is_empty() {
            numbers.remove(key);
        }
    }
}

/// Wakes sessions for what happens, until the server ends.
pub(crate) async fn wake_sessions(core: Arc<Core>) {
    let mut revisions = core.revisions();
    let mut seen = core.state().revision();
    loop {
        revisions.borrow_and_update();
        let state = core.state();
        match state.changes_since(seen) {
            Ok(events) => core.wakes.ring(events),
            // A snapshot came from the leader, or there was more than the history holds.
            Err(_) => core.wakes.ring_all(),
        }
        seen = state.revision();
        drop(state);
        tokio::select! {
            changed = revisions.changed() => if changed.is_err() { return },
            () = core.shutdown.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use skep_api::{ObjectKey, Time};
    use skep_state::{Change, Entry, State};
    use skep_testkit::{config_map, namespace, node, pod};

    use super::*;

    struct Scene {
        state: State,
        wakes: Wakes,
    }

    impl Scene {
        fn new() -> Self {
            let mut scene = Self {
                state: State::default(),
                wakes: Wakes::default(),
            };
            scene.apply(Change::create(namespace("default").build()));
            scene
        }

        fn apply(&mut self, change: Change) {
            let before = self.state.revision();
            let entry = Entry {
                request_id: String::new(),
                sent: None,
                now: Time::from_secs(0),
                changes: vec![change],
            };
            for outcome in self.state.apply(&entry) {
                outcome.expect("the change is accepted");
            }
            self.wakes
                .ring(self.state.changes_since(before).expect("it is fresh"));
        }
    }

    fn is_woken(sleeper: &Sleeper) -> bool {
        sleeper.woken().now_or_never().is_some()
    }

    #[test]
    fn a_session_is_woken_for_its_own_node_and_the_pods_on_it() {
        let mut scene = Scene::new();
        let (a, b) = (scene.wakes.enter("a"), scene.wakes.enter("b"));
        scene.apply(Change::create(node("a").build()));
        assert!(is_woken(&a) && !is_woken(&b));
        scene.apply(Change::create(pod("web").node("b").build()));
        assert!(!is_woken(&a) && is_woken(&b));
        scene.apply(Change::create(pod("waits").build()));
        assert!(!is_woken(&a) && !is_woken(&b));
    }

    #[test]
    fn what_pods_name_wakes_those_that_listen_for_it() {
        let mut scene = Scene::new();
        let (mut a, b) = (scene.wakes.enter("a"), scene.wakes.enter("b"));
        let settings = BTreeSet::from([(Kind::ConfigMap, ObjectKey::new("default", "settings"))]);
        assert!(a.listen_for(&settings));
        assert!(!a.listen_for(&settings), "nothing new");
        scene.apply(Change::create(config_map("settings").build()));
        assert!(is_woken(&a) && !is_woken(&b));
        scene.apply(Change::create(config_map("other").build()));
        assert!(!is_woken(&a));
    }

    #[test]
    fn what_ended_leaves_nothing_behind() {
        let scene = Scene::new();
        let mut a = scene.wakes.enter("a");
        let again = scene.wakes.enter("a");
        a.listen_for(&BTreeSet::from([(
            Kind::Secret,
            ObjectKey::new("default", "key"),
        )]));
        drop((a, again));
        let sleepers = scene.wakes.lock();
        assert!(sleepers.bells.is_empty() && sleepers.by_node.is_empty() && sleepers.by_reference.is_empty());
    }
}
