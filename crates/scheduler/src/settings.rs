//! What the operator may choose, and what disruption budgets have left.

use std::collections::BTreeMap;

use skep_api::LabelSelector;

/// Which of the nodes that fit is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scoring {
    /// The emptiest: load is spread.
    #[default]
    Spread,
    /// The fullest that still has room: whole nodes stay free.
    Pack,
}

/// What the operator may choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchedulerSettings {
    /// For nodes of no pool, and of pools not named in `pools`.
    pub scoring: Scoring,
    /// The node label whose value is the node's pool; `skep.io/pool` where not stated.
    pub pool_label: String,
    /// By pool.
    pub pools: BTreeMap<String, Scoring>,
}

impl Default for SchedulerSettings {
    fn default() -> Self {
        Self {
            scoring: Scoring::Spread,
            pool_label: "skep.io/pool".to_owned(),
            pools: BTreeMap::new(),
        }
    }
}

impl SchedulerSettings {
    pub(crate) fn of(&self, labels: &BTreeMap<String, String>) -> Scoring {
        let pool = labels.get(&self.pool_label).and_then(|pool| self.pools.get(pool));
        pool.copied().unwrap_or(self.scoring)
    }
}

/// How many pods of a disruption budget may be evicted now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The pods it is about; none where left out, all of the namespace where empty.
    pub selector: Option<LabelSelector>,
    /// `status.disruptionsAllowed`.
    pub disruptions_allowed: i32,
}
