//! The pods that take up room.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use skep_api::{ObjectKey, Pod};

use crate::slab::Slab;

/// A pod that takes up room.
#[derive(Clone, Debug)]
pub(crate) struct PodRow {
    pub(crate) uid: Arc<str>,
    pub(crate) name: Box<str>,
    pub(crate) template: u32,
    pub(crate) node: u32,
    /// Where it stands in its node's and its look's lists.
    in_node: u32,
    in_look: u32,
    /// Since when it runs, in milliseconds; the end of time for one that was placed just now.
    pub(crate) since: i64,
    /// True where it is on its way out, or was chosen to go.
    pub(crate) leaving: bool,
}

/// All pods that take up room.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pods {
    pub(crate) rows: Slab<PodRow>,
    /// Looked up only, never walked.
    by_uid: HashMap<Arc<str>, u32>,
    /// How many there are of each priority.
    pub(crate) priorities: BTreeMap<i32, u32>,
}

impl Pods {
    pub(crate) fn find(&self, uid: &str) -> Option<usize> {
        self.by_uid.get(uid).map(|index| *index as usize)
    }

    /// Adds a pod to the table and to the lists of its node and its look.
    pub(crate) fn insert(
        &mut self,
        pod: &Pod,
        place: (u32, u32),
        since: i64,
        lists: (&mut Vec<u32>, &mut Vec<u32>),
    ) -> usize {
        let uid: Arc<str> = pod.metadata.uid.as_str().into();
        let (of_node, of_look) = lists;
        let row = PodRow {
            uid: Arc::clone(&uid),
            name: pod.metadata.name.as_str().into(),
            template: place.0,
            node: place.1,
            in_node: small(of_node.len()),
            in_look: small(of_look.len()),
            since,
            leaving: pod.metadata.is_deleting(),
        };
        let index = small(self.rows.insert(row));
        of_node.push(index);
        of_look.push(index);
        self.by_uid.insert(uid, index);
        index as usize
    }

    /// Takes a pod out of the table and of both lists.
    pub(crate) fn remove(&mut self, index: usize, lists: (&mut Vec<u32>, &mut Vec<u32>)) -> PodRow {
        let row = self.rows.remove(index);
        self.by_uid.remove(&row.uid);
        let (of_node, of_look) = lists;
        of_node.swap_remove(row.in_node as usize);
        if let Some(moved) = of_node.get(row.in_node as usize) {
            self.rows[*moved as usize].in_node = row.in_node;
        }
        of_look.swap_remove(row.in_look as usize);
        if let Some(moved) = of_look.get(row.in_look as usize) {
            self.rows[*moved as usize].in_look = row.in_look;
        }
        row
    }

    pub(crate) fn count_priority(&mut self, priority: i32, sign: i32) {
        let count = self.priorities.entry(priority).or_default();
        *count = count.saturating_add_signed(sign);
        if *count == 0 {
            self.priorities.remove(&priority);
        }
    }
}

impl PodRow {
    pub(crate) fn key(&self, namespace: &str) -> ObjectKey {
        ObjectKey::new(namespace, &*self.name)
    }
}

/// Row numbers take four bytes.
pub(crate) fn small(index: usize) -> u32 {
    u32::try_from(index).expect("rows are fewer than 2^32")
}

/// Since when the pod runs, in milliseconds.
pub(crate) fn since(pod: &Pod) -> i64 {
    let time = pod.status.start_time.or(pod.metadata.creation_timestamp);
    time.map_or(i64::MAX, skep_api::Time::as_millis)
}
