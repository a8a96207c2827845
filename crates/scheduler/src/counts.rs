//! How many pods there are in each place: few entries in a map, many in a plain list.

use std::collections::BTreeMap;

/// More entries than this are kept in a plain list.
const SPARSE_MAX: usize = 64;

/// Amounts by place; nearly all of them zero, or nearly none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    sparse: BTreeMap<u32, i64>,
    dense: Vec<i64>,
    /// The sum of everything that was added, less what was taken away.
    total: i64,
}

impl Counts {
    pub(crate) fn get(&self, place: u32) -> i64 {
        if !self.dense.is_empty() {
            return self.dense.get(place as usize).copied().unwrap_or(0);
        }
        if self.sparse.is_empty() {
            return 0;
        }
        self.sparse.get(&place).copied().unwrap_or(0)
    }

    /// Returns what is there now.
    pub(crate) fn add(&mut self, place: u32, amount: i64) -> i64 {
        self.total += amount;
        if self.dense.is_empty() {
            let count = self.sparse.entry(place).or_default();
            *count += amount;
            let now = *count;
            if now == 0 {
                self.sparse.remove(&place);
            }
            if self.sparse.len() > SPARSE_MAX {
                self.spread_out();
            }
            return now;
        }
        let place = place as usize;
        if self.dense.len() <= place {
            self.dense.resize(place + 1, 0);
        }
        self.dense[place] += amount;
        self.dense[place]
    }

    pub(crate) fn total(&self) -> i64 {
        self.total
    }

    fn spread_out(&mut self) {
        for (place, count) in std::mem::take(&mut self.sparse) {
            let place = place as usize;
            if self.dense.len() <= place {
                self.dense.resize(place + 1, 0);
            }
            self.dense[place] = count;
        }
    }
}
