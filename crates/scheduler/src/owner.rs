//! How many pods of each owner each node has.

use std::collections::{BTreeMap, HashMap};

use crate::{pods::small, slab::Slab};

/// The owners of pods.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owners {
    rows: Slab<Owner>,
    /// Looked up only, never walked.
    by_uid: HashMap<String, usize>,
}

#[derive(Clone, Debug)]
struct Owner {
    uid: String,
    copies: BTreeMap<u32, u32>,
    templates: u32,
}

impl Owners {
    pub(crate) fn hold(&mut self, uid: &str) -> usize {
        if let Some(index) = self.by_uid.get(uid) {
            self.rows[*index].templates += 1;
            return *index;
        }
        let index = self.rows.insert(Owner {
            uid: uid.to_owned(),
            copies: BTreeMap::new(),
            templates: 1,
        });
        self.by_uid.insert(uid.to_owned(), index);
        index
    }

    pub(crate) fn release(&mut self, index: usize) {
        self.rows[index].templates -= 1;
        if self.rows[index].templates == 0 {
            let gone = self.rows.remove(index);
            self.by_uid.remove(&gone.uid);
        }
    }

    pub(crate) fn count(&mut self, index: usize, node: usize, sign: i64) {
        let copies = &mut self.rows[index].copies;
        let count = copies.entry(small(node)).or_default();
        *count = if sign > 0 { *count + 1 } else { *count - 1 };
        if *count == 0 {
            copies.remove(&small(node));
        }
    }

    pub(crate) fn copies(&self, index: usize, node: usize) -> u32 {
        let copies = &self.rows[index].copies;
        if copies.is_empty() {
            return 0;
        }
        copies.get(&small(node)).copied().unwrap_or(0)
    }
}
