//! Pods of one template, and the nodes they may go to, the best first.
//!
//! The nodes stand in heaps, one for each class of nodes that share all wide places (a zone, say) that matter to the template.
//! What depends on a wide place is looked up for the class as a whole each time; what depends on the node alone, or on a place
//! that is the node's own, is part of its mark in the heap. So placing a pod touches one node and a few classes.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use crate::{
    explain::Explanation,
    pods::small,
    preempt::Preemption,
    rules::{Mark, Must, Rule, Rules},
    score,
    settings::Scoring,
    tables::Tables,
    template::Template,
};

/// The nodes that were touched in a batch, in order, and how often each was.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    pub(crate) log: Vec<usize>,
    /// The templates of the pods that were placed, in order.
    pub(crate) placed: Vec<usize>,
    versions: Vec<u32>,
}

/// Pods of one template.
pub(crate) struct Group {
    pub(crate) template: usize,
    pub(crate) rules: Rules,
    /// As of this epoch of the terms.
    epoch: u64,
    /// Topologies that matter and in which nodes share places.
    wide: Vec<usize>,
    classes: Vec<Class>,
    class_of: Vec<u32>,
    /// How much of the log is in the heaps; `None` before the first scan.
    seen: Option<usize>,
    /// Why no node fits, as of this much of the log: for pods that wait, and for those that get room made.
    pub(crate) explained: [Option<(usize, Explanation)>; 2],
    pub(crate) preemption: Preemption,
}

/// Nodes that share all wide places.
#[derive(Default)]
struct Class {
    /// The place in each wide topology.
    places: Vec<u32>,
    heap: BinaryHeap<Candidate>,
    /// Nodes whose own place has more pods than an even spread allows, by how many every place must have first.
    parked: BTreeMap<(usize, i64), Vec<Candidate>>,
}

/// A node that fits as far as it alone is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    marks: i64,
    rank: Reverse<u32>,
    node: u32,
    /// Outdated where the node was touched since.
    version: u32,
}

impl Touched {
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            log: Vec::new(),
            placed: Vec::new(),
            versions: vec![0; nodes],
        }
    }

    pub(crate) fn touch(&mut self, node: usize) {
        if self.versions.len() <= node {
            self.versions.resize(node + 1, 0);
        }
        self.versions[node] += 1;
        self.log.push(node);
    }

    pub(crate) fn version(&self, node: usize) -> u32 {
        self.versions.get(node).copied().unwrap_or(0)
    }
}

impl Group {
    pub(crate) fn new(template: usize) -> Self {
        Self {
            template,
            rules: Rules::default(),
            epoch: 0,
            wide: Vec::new(),
            classes: Vec::new(),
            class_of: Vec::new(),
            seen: None,
            explained: [None, None],
            preemption: Preemption::default(),
        }
    }

    /// Brings the candidates up to date: a scan of all nodes at first, then the touched ones only.
    pub(crate) fn refresh(&mut self, tables: &Tables, touched: &Touched) {
        let template = &tables.templates.rows[self.template];
        if self.seen.is_none() || self.epoch != tables.terms.epoch {
            let rules = Rules::of(tables, template);
            if rules != self.rules {
                self.seen = None;
                self.preemption = Preemption::default();
                self.rules = rules;
            }
            self.epoch = tables.terms.epoch;
        }
        match self.seen {
            Some(seen) if touched.log.len() - seen < tables.nodes.rows.len().max(1) => {
                for node in &touched.log[seen..] {
                    if tables.stands(template, *node) {
                        self.consider(tables, template, *node, touched.version(*node));
                    }
                }
            }
            _ => self.scan(tables, template, touched),
        }
        self.seen = Some(touched.log.len());
    }

    fn scan(&mut self, tables: &Tables, template: &Template, touched: &Touched) {
        self.wide = self.wide_topologies(tables);
        self.classes = vec![Class::default()];
        self.class_of = vec![0; tables.nodes.rows.bound()];
        if !self.wide.is_empty() {
            self.classify(tables);
        }
        if let Some(names) = &template.pinned {
            for node in names.iter().filter_map(|name| tables.nodes.find(name)) {
                if tables.stands(template, node) {
                    self.consider(tables, template, node, touched.version(node));
                }
            }
            return;
        }
        let mut found: Vec<Vec<Candidate>> = Vec::new();
        found.resize_with(self.classes.len(), Vec::new);
        let good = tables.standings.rows[template.standing].good.as_ref();
        for node in good.into_iter().flat_map(crate::bits::Bits::iter) {
            if let Some(candidate) = self.candidate(tables, template, node, touched.version(node)) {
                found[self.class_of[node] as usize].push(candidate);
            }
        }
        for (class, candidates) in self.classes.iter_mut().zip(found) {
            class.heap = candidates.into();
        }
    }

    fn wide_topologies(&self, tables: &Tables) -> Vec<usize> {
        let hard = self.rules.hard.iter().map(|rule| rule.topology);
        let mut wide: Vec<usize> = hard
            .chain(self.rules.marks.iter().map(|mark| mark.topology))
            .collect();
        wide.sort_unstable();
        wide.dedup();
        wide.retain(|topology| !tables.topologies.get(*topology).is_narrow());
        wide
    }

    /// Tells the nodes apart by their wide places. Numbers of classes are in the order in which nodes' rows come; no decision
    /// hangs on them.
    fn classify(&mut self, tables: &Tables) {
        let mut numbers: BTreeMap<Vec<u32>, u32> = BTreeMap::new();
        self.classes.clear();
        for (node, _) in tables.nodes.rows.iter() {
            let places: Vec<u32> = self
                .wide
                .iter()
                .map(|topology| tables.topologies.place(*topology, node))
                .collect();
            let next = small(self.classes.len());
            let class = *numbers.entry(places.clone()).or_insert(next);
            if class == next {
                self.classes.push(Class {
                    places,
                    ..Class::default()
                });
            }
            self.class_of[node] = class;
        }
    }

    fn consider(&mut self, tables: &Tables, template: &Template, node: usize, version: u32) {
        if let Some(candidate) = self.candidate(tables, template, node, version) {
            let class = self.class_of.get(node).copied().unwrap_or(0);
            self.classes[class as usize].heap.push(candidate);
        }
    }

    /// The node, if there is room on it: it stands, as is known.
    fn candidate(
        &self,
        tables: &Tables,
        template: &Template,
        node: usize,
        version: u32,
    ) -> Option<Candidate> {
        let room = |(id, wanted): &(usize, i64)| {
            let free = tables.nodes.free_column(*id).get(node).copied().unwrap_or(0);
            *wanted <= free
        };
        let room = template.load.amounts.iter().all(room)
            && (!tables.nodes.reserved.get(node) || has_room(tables, template, node))
            && tables.taken_port(template, node).is_none();
        if !room {
            return None;
        }
        let narrow = self
            .narrow_marks()
            .map(|mark| tables.marks(mark, tables.topologies.place(mark.topology, node)));
        Some(Candidate {
            marks: tables.own_marks(template, node) + narrow.sum::<i64>(),
            rank: Reverse(tables.nodes.rank(node)),
            node: small(node),
            version,
        })
    }

    fn narrow_marks(&self) -> impl Iterator<Item = &Mark> {
        self.rules
            .marks
            .iter()
            .filter(|mark| !self.wide.contains(&mark.topology))
    }

    /// The best node, if there is any.
    pub(crate) fn best(&mut self, tables: &Tables, touched: &Touched) -> Option<usize> {
        let template = &tables.templates.rows[self.template];
        let mut best: Option<(i64, Reverse<u32>, u32)> = None;
        for class in &mut self.classes {
            let Some(marks) = class.marks(tables, template, &self.rules, &self.wide) else {
                continue;
            };
            if let Some(top) = class.top(tables, template, &self.rules, &self.wide, touched) {
                best = best.max(Some((marks + top.marks, top.rank, top.node)));
            }
        }
        best.map(|(_, _, node)| node as usize)
    }
}

impl Class {
    /// What the shared places add to the score; `None` where one of them will not do.
    fn marks(&self, tables: &Tables, template: &Template, rules: &Rules, wide: &[usize]) -> Option<i64> {
        let place = |topology: usize| {
            let at = wide.binary_search(&topology).ok()?;
            Some(self.places[at])
        };
        for rule in &rules.hard {
            if let Some(place) = place(rule.topology)
                && tables.broken(template, rule, place).is_some()
            {
                return None;
            }
        }
        let marks = rules
            .marks
            .iter()
            .filter_map(|mark| Some(tables.marks(mark, place(mark.topology)?)));
        Some(marks.sum())
    }

    /// The best candidate that is up to date and whose own place will do.
    fn top(
        &mut self,
        tables: &Tables,
        template: &Template,
        rules: &Rules,
        wide: &[usize],
        touched: &Touched,
    ) -> Option<Candidate> {
        let narrow = |rule: &&Rule| wide.binary_search(&rule.topology).is_err();
        self.unpark(tables, rules);
        while let Some(top) = self.heap.peek().copied() {
            let node = top.node as usize;
            if top.version != touched.version(node) {
                self.heap.pop();
                continue;
            }
            let mut narrow = rules.hard.iter().enumerate().filter(|(_, rule)| narrow(rule));
            let broken = narrow.find(|(_, rule)| {
                let place = tables.topologies.place(rule.topology, node);
                tables.broken(template, rule, place).is_some()
            });
            let Some((at, rule)) = broken else {
                return Some(top);
            };
            self.heap.pop();
            // Others may catch up; whatever else stands against the node stays for as long as it is not touched.
            let place = tables.topologies.place(rule.topology, node);
            if matches!(rule.what, Must::BeEven { .. }) && place != crate::topology::NOWHERE {
                let needed = tables.fewest_needed(rule, place);
                self.parked.entry((at, needed)).or_default().push(top);
            }
        }
        None
    }

    /// Takes back the candidates whose places others have caught up with.
    fn unpark(&mut self, tables: &Tables, rules: &Rules) {
        if self.parked.is_empty() {
            return;
        }
        for (at, rule) in rules.hard.iter().enumerate() {
            let fewest = tables.fewest(rule);
            while let Some((key, _)) = self.parked.range((at, i64::MIN)..=(at, fewest)).next() {
                let key = *key;
                let back = self.parked.remove(&key).unwrap_or_default();
                self.heap.extend(back);
            }
        }
    }
}

fn has_room(tables: &Tables, template: &Template, node: usize) -> bool {
    let mut amounts = template.load.amounts.iter();
    amounts.all(|(id, wanted)| *wanted <= tables.room(template, *id, node))
}

impl Tables {
    /// The part of the score that depends on the node alone.
    pub(crate) fn own_marks(&self, template: &Template, node: usize) -> i64 {
        let row = &self.nodes.rows[node];
        let [cpu, memory] = self.nodes.fractions(node, template.load.nominal);
        let room = match row.scoring {
            Scoring::Spread => {
                let copies = template.owner.map_or(0, |owner| self.owners.copies(owner, node));
                score::spread(cpu, memory) + score::copies(copies)
            }
            Scoring::Pack => score::pack(cpu, memory),
        };
        let bytes = self.images.bytes(&template.images, node);
        let images = score::images(bytes, template.containers);
        room + images + self.standings.rows[template.standing].marks(node, row)
    }

    /// The whole score of a node that fits.
    pub(crate) fn all_marks(&self, template: &Template, rules: &Rules, node: usize) -> i64 {
        let marks = rules.marks.iter();
        let others = marks.map(|mark| self.marks(mark, self.topologies.place(mark.topology, node)));
        self.own_marks(template, node) + others.sum::<i64>()
    }
}
