//! Rows with stable numbers; numbers of rows that are gone are used again.

use std::ops::{Index, IndexMut};

/// Rows with stable numbers.
#[derive(Clone, Debug)]
pub(crate) struct Slab<T> {
    rows: Vec<Option<T>>,
    vacant: Vec<usize>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            vacant: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    pub(crate) fn insert(&mut self, row: T) -> usize {
        if let Some(index) = self.vacant.pop() {
            self.rows[index] = Some(row);
            return index;
        }
        self.rows.push(Some(row));
        self.rows.len() - 1
    }

    pub(crate) fn remove(&mut self, index: usize) -> T {
        self.vacant.push(index);
        self.rows[index].take().expect("a row is removed once")
    }

    /// One more than the largest number given out so far.
    pub(crate) fn bound(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len() - self.vacant.len()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        self.rows.get(index)?.as_ref()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        let rows = self.rows.iter().enumerate();
        rows.filter_map(|(index, row)| Some((index, row.as_ref()?)))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut T)> {
        let rows = self.rows.iter_mut().enumerate();
        rows.filter_map(|(index, row)| Some((index, row.as_mut()?)))
    }
}

impl<T> Index<usize> for Slab<T> {
    type Output = T;

    fn index(&self, index: usize) -> &T {
        self.rows[index].as_ref().expect("rows in use are there")
    }
}

impl<T> IndexMut<usize> for Slab<T> {
    fn index_mut(&mut self, index: usize) -> &mut T {
        self.rows[index].as_mut().expect("rows in use are there")
    }
}
