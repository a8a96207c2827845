//! What selectors see of a pod: its namespace and labels. Pods that look the same are looked at once.

use std::collections::{BTreeMap, HashMap};

use skep_api::LabelSelector;

use crate::slab::Slab;

/// What selectors see of a pod.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) namespace: String,
    pub(crate) labels: BTreeMap<String, String>,
    /// True for pods that are on their way out.
    pub(crate) deleting: bool,
    /// The terms that select it, ascending.
    pub(crate) terms: Vec<usize>,
    /// The placed pods that look like this.
    pub(crate) pods: Vec<u32>,
    templates: u32,
}

/// All looks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Looks {
    pub(crate) rows: Slab<Look>,
    /// Looked up only, never walked.
    by_identity: HashMap<(String, BTreeMap<String, String>, bool), usize>,
    /// By label; ascending.
    by_label: BTreeMap<(String, String), Vec<usize>>,
}

impl Looks {
    /// The look's number, and whether it is a new one.
    pub(crate) fn hold(
        &mut self,
        namespace: &str,
        labels: &BTreeMap<String, String>,
        deleting: bool,
    ) -> (usize, bool) {
        let identity = (namespace.to_owned(), labels.clone(), deleting);
        if let Some(index) = self.by_identity.get(&identity) {
            self.rows[*index].templates += 1;
            return (*index, false);
        }
        let index = self.rows.insert(Look {
            namespace: namespace.to_owned(),
            labels: labels.clone(),
            deleting,
            terms: Vec::new(),
            pods: Vec::new(),
            templates: 1,
        });
        for (key, value) in labels {
            self.by_label
                .entry((key.clone(), value.clone()))
                .or_default()
                .push(index);
        }
        self.by_identity.insert(identity, index);
        (index, true)
    }

    pub(crate) fn release(&mut self, index: usize) {
        self.rows[index].templates -= 1;
        if self.rows[index].templates > 0 {
            return;
        }
        let gone = self.rows.remove(index);
        for (key, value) in &gone.labels {
            let label = (key.clone(), value.clone());
            if let Some(looks) = self.by_label.get_mut(&label) {
                looks.retain(|look| *look != index);
                if looks.is_empty() {
                    self.by_label.remove(&label);
                }
            }
        }
        self.by_identity
            .remove(&(gone.namespace, gone.labels, gone.deleting));
    }

    /// The looks that have this label; all where none is named.
    pub(crate) fn with(&self, label: Option<&(String, String)>) -> Vec<usize> {
        match label {
            Some(label) => self.by_label.get(label).cloned().unwrap_or_default(),
            None => self.rows.iter().map(|(index, _)| index).collect(),
        }
    }
}

/// A label that everything the selector selects must have; `None` where there is no such one.
pub(crate) fn anchor(selector: &LabelSelector) -> Option<(String, String)> {
    let (key, value) = selector.match_labels.iter().next()?;
    Some((key.clone(), value.clone()))
}
