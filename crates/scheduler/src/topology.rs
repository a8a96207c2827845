//! Places by topology key: the nodes' values of a label, as small numbers.

use std::collections::{BTreeMap, HashMap};

use crate::slab::Slab;

/// Stands for a node without the label.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// The topology keys that some term uses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Topologies {
    rows: Slab<Topology>,
    by_key: BTreeMap<String, usize>,
}

/// One topology key.
#[derive(Clone, Debug)]
pub(crate) struct Topology {
    pub(crate) key: String,
    terms: u32,
    /// Looked up only, never walked.
    places: HashMap<String, u32>,
    /// The value that each place stands for.
    values: Vec<String>,
    vacant: Vec<u32>,
    /// How many nodes each place has.
    nodes_in: Vec<u32>,
    /// The place of each node.
    place_of: Vec<u32>,
    /// How many places have more than one node.
    shared: usize,
}

impl Topologies {
    /// The topology with this key; `nodes` are asked for their labels where it is new.
    pub(crate) fn hold<'a>(
        &mut self,
        key: &str,
        nodes: impl Iterator<Item = (usize, &'a BTreeMap<String, String>)>,
    ) -> usize {
        if let Some(index) = self.by_key.get(key) {
            self.rows[*index].terms += 1;
            return *index;
        }
        let mut topology = Topology {
            key: key.to_owned(),
            terms: 1,
            places: HashMap::new(),
            values: Vec::new(),
            vacant: Vec::new(),
            nodes_in: Vec::new(),
            place_of: Vec::new(),
            shared: 0,
        };
        for (node, labels) in nodes {
            topology.set(node, labels.get(key));
        }
        let index = self.rows.insert(topology);
        self.by_key.insert(key.to_owned(), index);
        index
    }

    pub(crate) fn release(&mut self, index: usize) {
        self.rows[index].terms -= 1;
        if self.rows[index].terms == 0 {
            let gone = self.rows.remove(index);
            self.by_key.remove(&gone.key);
        }
    }

    /// Takes note of a node's labels; `None` for a node that is gone.
    pub(crate) fn node(&mut self, node: usize, labels: Option<&BTreeMap<String, String>>) {
        for (_, topology) in self.rows.iter_mut() {
            let value = labels.and_then(|labels| labels.get(&topology.key));
            topology.set(node, value);
        }
    }

    pub(crate) fn get(&self, index: usize) -> &Topology {
        &self.rows[index]
    }

    pub(crate) fn place(&self, index: usize, node: usize) -> u32 {
        self.rows[index].place(node)
    }
}

impl Topology {
    pub(crate) fn place(&self, node: usize) -> u32 {
        self.place_of.get(node).copied().unwrap_or(NOWHERE)
    }

    /// True where no two nodes share a place, as with host names.
    pub(crate) fn is_narrow(&self) -> bool {
        self.shared == 0
    }

    fn set(&mut self, node: usize, value: Option<&String>) {
        if self.place_of.len() <= node {
            self.place_of.resize(node + 1, NOWHERE);
        }
        let before = self.place_of[node];
        let now = value.map_or(NOWHERE, |value| self.enter(value));
        self.place_of[node] = now;
        if before != NOWHERE {
            self.leave(before);
        }
    }

    fn enter(&mut self, value: &String) -> u32 {
        let place = match self.places.get(value) {
            Some(place) => *place,
            None => {
                let place = self.vacant.pop().unwrap_or_else(|| {
                    self.nodes_in.push(0);
                    self.values.push(String::new());
                    u32::try_from(self.nodes_in.len() - 1).expect("places are fewer than 2^32")
                });
                self.places.insert(value.clone(), place);
                self.values[place as usize].clone_from(value);
                place
            }
        };
        let nodes = &mut self.nodes_in[place as usize];
        *nodes += 1;
        self.shared += usize::from(*nodes == 2);
        place
    }

    fn leave(&mut self, place: u32) {
        let nodes = &mut self.nodes_in[place as usize];
        *nodes -= 1;
        self.shared -= usize::from(*nodes == 1);
        if *nodes == 0 {
            self.places.remove(&self.values[place as usize]);
            self.vacant.push(place);
        }
    }
}
