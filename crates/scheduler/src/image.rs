//! Which images are on which nodes.

use std::collections::{BTreeMap, HashMap};

use skep_api::ContainerImage;

use crate::{node::Nodes, pods::small, slab::Slab};

/// The images that pods use or nodes have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Images {
    rows: Slab<Image>,
    /// Looked up only, never walked.
    by_name: HashMap<String, usize>,
    /// How many nodes say which images they have.
    nodes: i64,
}

#[derive(Clone, Debug)]
struct Image {
    name: String,
    /// Bytes by node.
    on: BTreeMap<u32, i64>,
    templates: u32,
}

impl Images {
    /// The images of a template's containers, those among them that are told apart by name.
    pub(crate) fn hold<'a>(&mut self, names: impl Iterator<Item = &'a str>) -> Vec<usize> {
        let mut held: Vec<usize> = names.map(|name| self.row(&normal(name))).collect();
        held.sort_unstable();
        held.dedup();
        held.iter().for_each(|index| self.rows[*index].templates += 1);
        held
    }

    pub(crate) fn release(&mut self, held: &[usize]) {
        for index in held {
            self.rows[*index].templates -= 1;
            self.drop_if_idle(*index);
        }
    }

    /// Takes note of the images that a node has now.
    pub(crate) fn node(&mut self, node: usize, images: &[ContainerImage], nodes: &mut Nodes) {
        let had = std::mem::take(&mut nodes.rows[node].images);
        let mut has = Vec::new();
        for image in images {
            for name in &image.names {
                has.push((self.row(&normal(name)), image.size_bytes.max(0)));
            }
        }
        has.sort_unstable();
        has.dedup_by_key(|(index, _)| *index);
        for (index, _) in &had {
            self.rows[*index].on.remove(&small(node));
        }
        for (index, bytes) in &has {
            self.rows[*index].on.insert(small(node), *bytes);
        }
        had.iter().for_each(|(index, _)| self.drop_if_idle(*index));
        self.nodes += i64::from(!has.is_empty()) - i64::from(!had.is_empty());
        nodes.rows[node].images = has;
    }

    /// The bytes of these images on a node. What few nodes have counts for less, so that it does not draw all copies there.
    pub(crate) fn bytes(&self, held: &[usize], node: usize) -> i64 {
        let sum = held.iter().map(|index| {
            let on = &self.rows[*index].on;
            let bytes = if on.is_empty() { None } else { on.get(&small(node)) };
            let have = i128::try_from(on.len()).unwrap_or(i128::MAX);
            bytes.map_or(0, |bytes| {
                i128::from(*bytes) * have / i128::from(self.nodes.max(1))
            })
        });
        i64::try_from(sum.sum::<i128>()).unwrap_or(i64::MAX)
    }

    fn row(&mut self, name: &str) -> usize {
        if let Some(index) = self.by_name.get(name) {
            return *index;
        }
        let index = self.rows.insert(Image {
            name: name.to_owned(),
            on: BTreeMap::new(),
            templates: 0,
        });
        self.by_name.insert(name.to_owned(), index);
        index
    }

    fn drop_if_idle(&mut self, index: usize) {
        let idle = self
            .rows
            .get(index)
            .is_some_and(|image| image.templates == 0 && image.on.is_empty());
        if idle {
            let gone = self.rows.remove(index);
            self.by_name.remove(&gone.name);
        }
    }
}

/// An image without tag is the one tagged `latest`.
fn normal(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains([':', '@']) {
        name.to_owned()
    } else {
        format!("{name}:latest")
    }
}
