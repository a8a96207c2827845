//! Copies: pods that differ in name and uid alone are said once in an entry, and then named.
//!
//! A replica set makes hundreds of pods at once. What they have in common would be most of the log, and each replica that reads
//! it would have a copy of it for each of them.

use skep_api::{Object, ObjectMeta, Pod};

use crate::{Change, Precondition, Refusal, Verb};

/// The same changes, with pods that are like one before them as [`Verb::CreateLike`].
pub fn fold_copies(changes: Vec<Change>) -> Vec<Change> {
    let mut folded: Vec<Change> = Vec::with_capacity(changes.len());
    let mut model = None;
    for mut change in changes {
        if let Verb::Create(object) = &change.verb
            && let Object::Pod(pod) = &**object
        {
            let like = model.is_some_and(|model| is_like(model_in(&folded, model), &change.only_if, pod));
            if like {
                let ObjectMeta { name, uid, .. } = &pod.metadata;
                change.verb = Verb::CreateLike {
                    name: name.clone(),
                    uid: uid.clone(),
                };
            } else {
                model = Some(folded.len());
            }
        }
        folded.push(change);
    }
    folded
}

fn model_in(folded: &[Change], index: usize) -> Option<&Pod> {
    match &folded[index].verb {
        Verb::Create(object) => match &**object {
            Object::Pod(pod) => Some(pod),
            _ => None,
        },
        _ => None,
    }
}

fn is_like(model: Option<&Pod>, only_if: &Precondition, pod: &Pod) -> bool {
    let model = model.filter(|_| *only_if == Precondition::default());
    model.is_some_and(|model| {
        let (one, other) = (&model.metadata, &pod.metadata);
        model.spec == pod.spec
            && model.status == pod.status
            && one.is_like(other)
            && one.resource_version == other.resource_version
    })
}

/// Says copies in full again, one change after the other.
#[derive(Debug)]
pub(crate) struct Copies {
    /// False where nobody will ask for a model.
    any: bool,
    model: Option<Pod>,
}

impl Copies {
    /// For the changes of one entry.
    pub(crate) fn among(changes: &[Change]) -> Self {
        let is_copy = |change: &Change| matches!(change.verb, Verb::CreateLike { .. });
        Self {
            any: changes.iter().any(is_copy),
            model: None,
        }
    }

    /// The change with its pod in full, and whether it is a copy.
    pub(crate) fn unfold(&mut self, change: Change) -> Result<(Change, bool), Refusal> {
        match change.verb {
            Verb::Create(object) => {
                if let Object::Pod(pod) = &*object
                    && self.any
                {
                    self.model = Some(Pod::clone(pod));
                }
                let verb = Verb::Create(object);
                Ok((Change { verb, ..change }, false))
            }
            Verb::CreateLike { name, uid } => {
                let model = self.model.as_ref().ok_or_else(nothing_before)?;
                let mut pod = model.clone();
                (pod.metadata.name, pod.metadata.uid) = (name, uid);
                let verb = Verb::Create(Box::new(pod.into()));
                Ok((Change { verb, ..change }, true))
            }
            verb => Ok((Change { verb, ..change }, false)),
        }
    }
}

pub(crate) fn nothing_before() -> Refusal {
    Refusal::Invalid("there is no pod before it in the entry that it could be like".to_owned())
}
