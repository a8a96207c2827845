//! What the scheduler needs to know besides nodes and pods: labels of namespaces, disruption budgets, and how pools are filled.

use std::collections::BTreeMap;

use skep_api::{Namespace, NodePool, Object, PodDisruptionBudget, PoolScoring, Resource};
use skep_scheduler::{Budget, Scheduler, SchedulerSettings, Scoring};
use skep_state::{State, StateEvent};

/// How each pool is filled; kept to notice where it changes.
#[derive(Debug, Default)]
pub(super) struct Policies {
    pools: BTreeMap<String, Scoring>,
    /// How all others are filled.
    scoring: Scoring,
}

impl Policies {
    /// Tells the scheduler all there is.
    pub(super) fn of(state: &State, scheduler: &mut Scheduler) -> Self {
        for namespace in state.list::<Namespace>(None) {
            scheduler.namespace(&namespace.metadata.name, &namespace.metadata.labels);
        }
        for budget in state.list::<PodDisruptionBudget>(None) {
            scheduler.budget(&left_of(budget));
        }
        let pools = state.list::<NodePool>(None).filter_map(scoring);
        let policies = Self {
            pools: pools.collect(),
            scoring: Scoring::default(),
        };
        policies.tell(scheduler);
        policies
    }

    /// Tells the scheduler what changed.
    pub(super) fn follow(&mut self, event: &StateEvent, scheduler: &mut Scheduler) {
        match (event.before.as_deref(), event.after.as_deref()) {
            (_, Some(Object::Namespace(namespace))) => {
                scheduler.namespace(&namespace.metadata.name, &namespace.metadata.labels);
            }
            (Some(Object::Namespace(gone)), None) => scheduler.remove_namespace(&gone.metadata.name),
            (_, Some(Object::PodDisruptionBudget(budget))) => scheduler.budget(&left_of(budget)),
            (Some(Object::PodDisruptionBudget(gone)), None) => {
                scheduler.remove_budget(&gone.metadata.namespace, &gone.metadata.name);
            }
            (before, after) => {
                let pool = |object: Option<&Object>| object.and_then(NodePool::from_object).and_then(scoring);
                let (before, after) = (pool(before), pool(after));
                if before != after {
                    before.map(|(name, _)| self.pools.remove(&name));
                    self.pools.extend(after);
                    self.tell(scheduler);
                }
            }
        }
    }

    /// Fills nodes like this that are in no pool, or in one that does not say.
    pub(super) fn fill(&mut self, scoring: Scoring, scheduler: &mut Scheduler) {
        if self.scoring != scoring {
            self.scoring = scoring;
            self.tell(scheduler);
        }
    }

    fn tell(&self, scheduler: &mut Scheduler) {
        scheduler.settings(SchedulerSettings {
            pools: self.pools.clone(),
            scoring: self.scoring,
            ..SchedulerSettings::default()
        });
    }
}

fn scoring(pool: &NodePool) -> Option<(String, Scoring)> {
    let scoring = match pool.spec.scoring? {
        PoolScoring::Spread => Scoring::Spread,
        PoolScoring::BinPack => Scoring::Pack,
    };
    Some((pool.metadata.name.clone(), scoring))
}

fn left_of(budget: &PodDisruptionBudget) -> Budget {
    Budget {
        namespace: budget.metadata.namespace.clone(),
        name: budget.metadata.name.clone(),
        selector: budget.spec.selector.clone(),
        disruptions_allowed: budget.status.disruptions_allowed,
    }
}
