//! Objects as they go out, written once for all that watch them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use skep_api::{Object, Struct, convert};

/// Documents that are kept: watchers are told of a change at about the same time.
const KEPT_MAX: usize = 64;

/// The documents that were asked for last.
#[derive(Default)]
pub(crate) struct Documents(Mutex<VecDeque<(Arc<Object>, Struct)>>);

impl Documents {
    /// The object's document.
    pub(crate) fn of(&self, object: &Arc<Object>) -> Struct {
        let find = |kept: &VecDeque<(Arc<Object>, Struct)>| {
            let found = kept.iter().rev().find(|(other, _)| Arc::ptr_eq(other, object));
            found.map(|(_, document)| document.clone())
        };
        if let Some(document) = find(&self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            return document;
        }
        let document = convert::to_struct(object);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back((object.clone(), document.clone()));
        document
    }
}

#[cfg(test)]
mod tests {
    use skep_api::ConfigMap;

    use super::*;

    fn object(name: &str) -> Arc<Object> {
        let mut object = ConfigMap::default();
        object.metadata.name = name.to_owned();
        Arc::new(object.into())
    }

    #[test]
    fn each_object_has_its_own_document_however_many_there_are() {
        let documents = Documents::default();
        let objects: Vec<_> = (0..KEPT_MAX * 2)
            .map(|number| object(&number.to_string()))
            .collect();
        for object in objects.iter().chain(&objects) {
            assert_eq!(documents.of(object), convert::to_struct(object));
        }
        assert_eq!(documents.0.lock().unwrap().len(), KEPT_MAX);
    }
}
