//! Disruption budgets: how many of their pods may still be sent away.

use std::collections::BTreeMap;

use crate::{look::Look, settings::Budget};

/// All disruption budgets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Budgets {
    /// By namespace and name.
    rows: BTreeMap<(String, String), Budget>,
    /// Goes up when one has changed.
    pub(crate) epoch: u64,
}

/// What is left of each budget while victims are being chosen.
#[derive(Default)]
pub(crate) struct Left<'a> {
    taken: BTreeMap<(&'a str, &'a str), i32>,
}

impl Budgets {
    pub(crate) fn set(&mut self, budget: &Budget) {
        self.epoch += 1;
        let key = (budget.namespace.clone(), budget.name.clone());
        self.rows.insert(key, budget.clone());
    }

    pub(crate) fn remove(&mut self, namespace: &str, name: &str) {
        self.epoch += 1;
        self.rows.remove(&(namespace.to_owned(), name.to_owned()));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Takes one pod out of all budgets that are about it; true where one of them had nothing left.
    pub(crate) fn take<'a>(&'a self, look: &Look, left: &mut Left<'a>) -> bool {
        let mut violated = false;
        for budget in self.about(look) {
            let taken = left.taken.entry((&budget.namespace, &budget.name)).or_default();
            *taken += 1;
            violated |= *taken > budget.disruptions_allowed.max(0);
        }
        violated
    }

    /// A pod is sent away: its budgets have less left.
    pub(crate) fn spend(&mut self, look: &Look) {
        let keys: Vec<_> = self
            .about(look)
            .map(|budget| (budget.namespace.clone(), budget.name.clone()))
            .collect();
        for key in keys {
            if let Some(budget) = self.rows.get_mut(&key) {
                budget.disruptions_allowed = budget.disruptions_allowed.saturating_sub(1);
                self.epoch += 1;
            }
        }
    }

    fn about(&self, look: &Look) -> impl Iterator<Item = &Budget> {
        let first = (look.namespace.clone(), String::new());
        let namespace = look.namespace.clone();
        let labels = &look.labels;
        let budgets = self
            .rows
            .range(first..)
            .take_while(move |((name, _), _)| *name == namespace);
        budgets.map(|(_, budget)| budget).filter(move |budget| {
            budget
                .selector
                .as_ref()
                .is_some_and(|selector| selector.matches(labels))
        })
    }
}
