//! How many pods a replica set has and how they do, without a look at each where the state's tally says it.

use std::{collections::BTreeMap, time::Duration};

use skep_api::{ReplicaSet, Time};
use skep_state::State;

/// A count is no older than this.
const REST_MAX: Duration = Duration::from_millis(200);

/// Pods that have not ended and are not going away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) active: i32,
    /// Those with all labels that the present template gives.
    pub(crate) labelled: i32,
    pub(crate) ready: i32,
    pub(crate) available: i32,
}

/// How long a count of so many pods holds while they start or stop one after the other: a few are counted at once, and a
/// thousand not a thousand times.
pub(crate) fn rest(replicas: i32) -> Duration {
    Duration::from_millis(u64::try_from(replicas).unwrap_or(0)).min(REST_MAX)
}

/// The pods of the set whose labels are counted, as the state's tally has them: it costs the same for ten and for ten thousand.
///
/// `None` where each pod has to be looked at: one of them is being replaced, or has not been ready for long enough yet.
pub(crate) fn at_a_glance(
    state: &State,
    set: &ReplicaSet,
    min_ready_seconds: i32,
    now: Time,
    counted: impl Fn(&BTreeMap<String, String>) -> bool,
) -> Option<Count> {
    let min_ready = Duration::from_secs(u64::try_from(min_ready_seconds).unwrap_or(0));
    let template = &set.spec.template.metadata.labels;
    let (mut active, mut labelled, mut ready) = (0, 0, 0);
    for group in state.pods_managed_by(&set.metadata.uid) {
        if !counted(&group.labels) {
            continue;
        }
        let counts = &group.counts;
        if counts.replaced > 0 || counts.ready > 0 && group.ready_by.plus(min_ready) > now {
            return None;
        }
        active += counts.active;
        ready += counts.ready;
        if template
            .iter()
            .all(|(key, value)| group.labels.get(key) == Some(value))
        {
            labelled += counts.active;
        }
    }
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    Some(Count {
        active: number(active),
        labelled: number(labelled),
        ready: number(ready),
        available: number(ready),
    })
}

#[cfg(test)]
mod tests {
    use skep_api::{Object, Pod};
    use skep_state::{Change, Entry};
    use skep_testkit::{at, namespace, pod, replica_set, start};

    use super::*;

    fn state(set: &ReplicaSet, pods: Vec<Pod>) -> State {
        let mut state = State::default();
        let mut changes = vec![Change::create(namespace("default")), Change::create(set.clone())];
        changes.extend(pods.into_iter().map(|pod| Change::create(Object::from(pod))));
        let entry = Entry {
            request_id: String::new(),
            sent: None,
            now: start(),
            changes,
        };
        assert!(state.apply(&entry).iter().all(Result::is_ok));
        state
    }

    #[test]
    fn pods_are_counted_by_what_the_set_selects() {
        let set = replica_set("web", 3).build();
        let of_set = |name: &str| pod(name).label("app", "web").owned_by(&set);
        let pods = vec![
            of_set("waits").build(),
            of_set("serves").node("a").ready().build(),
            pod("other").owned_by(&set).node("a").ready().build(),
        ];
        let state = state(&set, pods);
        let selected = |labels: &BTreeMap<String, String>| set.spec.selector.matches(labels);
        let count = at_a_glance(&state, &set, 0, at(60), selected).unwrap();
        assert_eq!(
            (count.active, count.labelled, count.ready, count.available),
            (2, 2, 1, 1)
        );
        let all = at_a_glance(&state, &set, 0, at(60), |_| true).unwrap();
        assert_eq!((all.active, all.labelled, all.ready, all.available), (3, 2, 2, 2));
    }

    #[test]
    fn where_time_matters_each_pod_is_looked_at() {
        let set = replica_set("web", 1).build();
        let state = state(&set, vec![pod("new").owned_by(&set).node("a").ready().build()]);
        let counted = |min_ready, now| at_a_glance(&state, &set, min_ready, now, |_| true).is_some();
        assert!(counted(0, at(60)));
        assert!(!counted(120, at(60)), "it is not available yet");
        assert!(counted(120, at(300)));
    }
}
