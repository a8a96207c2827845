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

/// Objects that a session is told of by name; more than that and it looks at all there is.
const NEWS_MAX: usize = 1024;

/// Wakes the sessions of nodes that a change is about, and those whose pods name what has changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wakes(Arc<Mutex<Sleepers>>);

#[derive(Debug, Default)]
struct Sleepers {
    next: u64,
    bells: BTreeMap<u64, Arc<Bell>>,
    /// A node has two of them for a moment when its agent comes back.
    by_node: HashMap<String, BTreeSet<u64>>,
    by_reference: HashMap<Reference, BTreeSet<u64>>,
}

/// What wakes a session, and what it is woken for.
#[derive(Debug, Default)]
struct Bell {
    rings: Notify,
    news: Mutex<News>,
}

/// What may have changed since a session last looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum News {
    /// Anything.
    #[default]
    All,
    /// These objects, and no others.
    Of(BTreeSet<Reference>),
}

/// A session that is woken; not any more once dropped.
#[derive(Debug)]
pub(crate) struct Sleeper {
    wakes: Wakes,
    number: u64,
    node: String,
    names: BTreeSet<Reference>,
    bell: Arc<Bell>,
}

impl Wakes {
    /// A session of this node, which is woken by all that happens from now on; until it first looks, anything may have happened.
    pub(crate) fn enter(&self, node: &str) -> Sleeper {
        let bell = Arc::new(Bell::default());
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
    pub(super) fn ring<'a>(&self, events: impl Iterator<Item = &'a Arc<StateEvent>>) {
        let sleepers = self.lock();
        for event in events {
            sleepers.ring(event);
        }
    }

    fn ring_all(&self) {
        self.lock().bells.values().for_each(|bell| bell.ring_for_all());
    }

    fn lock(&self) -> MutexGuard<'_, Sleepers> {
        self.0.lock().expect("no holder panics")
    }
}

impl Sleepers {
    fn ring(&self, event: &StateEvent) {
        match event.kind {
            Kind::Node => self.ring_node(&event.key.name, event),
            Kind::Pod if concerns_agents(event) => {
                let node = |object: &Option<Arc<Object>>| match object.as_deref() {
                    Some(Object::Pod(pod)) => Some(pod.spec.node_name.clone()),
                    _ => None,
                };
                let (before, after) = (node(&event.before), node(&event.after));
                after.iter().for_each(|node| self.ring_node(node, event));
                let left = before.filter(|before| Some(before) != after.as_ref());
                left.iter().for_each(|node| self.ring_node(node, event));
            }
            Kind::ConfigMap | Kind::Secret if !self.by_reference.is_empty() => {
                let reference = (event.kind, (*event.key).clone());
                self.ring_each(self.by_reference.get(&reference), event);
            }
            _ => {}
        }
    }

    fn ring_node(&self, node: &str, event: &StateEvent) {
        self.ring_each(self.by_node.get(node), event);
    }

    fn ring_each(&self, numbers: Option<&BTreeSet<u64>>, event: &StateEvent) {
        let bells = numbers.into_iter().flatten();
        bells
            .filter_map(|number| self.bells.get(number))
            .for_each(|bell| bell.ring((event.kind, (*event.key).clone())));
    }
}

impl Bell {
    fn ring(&self, name: Reference) {
        self.news().add(name);
        self.rings.notify_one();
    }

    fn ring_for_all(&self) {
        *self.news() = News::All;
        self.rings.notify_one();
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().expect("no holder panics")
    }
}

impl News {
    /// No news.
    pub(crate) fn none() -> Self {
        Self::Of(BTreeSet::new())
    }

    /// True where nothing has changed.
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::Of(names) if names.is_empty())
    }

    fn add(&mut self, name: Reference) {
        let Self::Of(names) = self else { return };
        names.insert(name);
        if names.len() > NEWS_MAX {
            *self = Self::All;
        }
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
        self.bell.rings.notified().await;
    }

    /// What may have changed since this was last asked. A state that is taken afterwards has all of it.
    pub(crate) fn news(&self) -> News {
        std::mem::replace(&mut *self.bell.news(), News::none())
    }

    /// Is woken for these config maps and secrets from now on, and for no others. The news of those that it was not woken for
    /// before: they may have changed.
    pub(crate) fn listen_for(&mut self, names: BTreeSet<Reference>) -> News {
        let mut sleepers = self.wakes.lock();
        for gone in self.names.difference(&names) {
            forget(&mut sleepers.by_reference, gone, self.number);
        }
        let fresh: BTreeSet<Reference> = names.difference(&self.names).cloned().collect();
        for name in &fresh {
            let numbers = sleepers.by_reference.entry(name.clone()).or_default();
            numbers.insert(self.number);
        }
        drop(sleepers);
        self.names = names;
        News::Of(fresh)
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
    let mut seen = core.view().revision();
    loop {
        revisions.borrow_and_update();
        let state = core.view();
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
        assert_eq!(a.listen_for(settings.clone()), News::Of(settings.clone()));
        assert!(a.listen_for(settings.clone()).is_none(), "nothing new");
        assert_eq!(a.news(), News::All, "it has not looked yet");
        scene.apply(Change::create(config_map("settings").build()));
        assert!(is_woken(&a) && !is_woken(&b));
        assert_eq!(a.news(), News::Of(settings));
        assert!(a.news().is_none());
        scene.apply(Change::create(config_map("other").build()));
        assert!(!is_woken(&a));
    }

    #[test]
    fn a_session_that_does_not_look_for_long_looks_at_everything() {
        let mut news = News::none();
        for number in 0..=NEWS_MAX {
            assert_ne!(news, News::All);
            news.add((Kind::Pod, ObjectKey::new("default", number.to_string())));
        }
        assert_eq!(news, News::All);
    }

    #[test]
    fn what_ended_leaves_nothing_behind() {
        let scene = Scene::new();
        let mut a = scene.wakes.enter("a");
        let again = scene.wakes.enter("a");
        a.listen_for(BTreeSet::from([(Kind::Secret, ObjectKey::new("default", "key"))]));
        drop((a, again));
        let sleepers = scene.wakes.lock();
        assert!(sleepers.bells.is_empty() && sleepers.by_node.is_empty() && sleepers.by_reference.is_empty());
    }
}
