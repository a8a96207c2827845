//! How an entry of the log changes the state.

use std::sync::Arc;

use skep_api::{Kind, Object, ObjectKey, Time};

use crate::{
    Applied, Change, Effect, Entry, Outcome, Refusal, State, StateEvent, Verb,
    copies::{Copies, nothing_before},
    requests::Memory,
    rules::{self, Step},
    senders::Arrival,
    weight::{BESIDES_TEXT, event_weight, outcome_weight},
};

impl State {
    /// Applies an entry; one outcome for each of its changes, in their order.
    ///
    /// Deterministic: equal states and entries give equal states and outcomes. Each accepted change that has an
    /// effect takes the next revision. An entry that came before, or whose request id is remembered, changes nothing and
    /// answers as before.
    pub fn apply(&mut self, entry: &Entry) -> Vec<Outcome> {
        self.apply_owned(entry.clone())
    }

    /// As [`State::apply`], without a copy of the entry's objects.
    pub fn apply_owned(&mut self, entry: Entry) -> Vec<Outcome> {
        let Some(sent) = entry.sent else {
            return self.apply_new(entry);
        };
        match self.senders.arrive(&sent) {
            Arrival::Again(outcomes) => outcomes.to_vec(),
            Arrival::Late => {
                let late = || Refusal::Invalid("nobody waits for this proposal any more".to_owned());
                entry.changes.iter().map(|_| Err(late())).collect()
            }
            Arrival::New => {
                let outcomes = self.apply_new(entry);
                self.senders.answer(&sent, &outcomes);
                outcomes
            }
        }
    }

    fn apply_new(&mut self, entry: Entry) -> Vec<Outcome> {
        if let Some(outcomes) = self.answered(&entry.request_id) {
            return outcomes;
        }
        let mut copies = Copies::among(&entry.changes);
        let changes = entry.changes.into_iter();
        let outcomes: Vec<_> = changes
            .map(|change| {
                let (change, is_copy) = copies.unfold(change)?;
                self.apply_change(change, is_copy, entry.now)
            })
            .collect();
        let refused = !outcomes.is_empty() && outcomes.iter().all(Result::is_err);
        if !entry.request_id.is_empty() && !refused {
            let weight = outcomes.iter().map(outcome_weight).sum();
            self.requests.remember(&entry.request_id, &outcomes, weight);
        }
        outcomes
    }

    /// What applying a change alone would come to. Nothing is changed, and nothing copied but the object.
    pub fn try_change(&self, change: &Change, now: Time) -> Outcome {
        let (object, effect) = match self.decide(change.clone(), now, &mut Vec::new())? {
            Step::Nothing(object) => return Ok(unchanged(object)),
            Step::Put(object) if self.object(object.kind(), &object.key()).is_some() => {
                (object, Effect::Modified)
            }
            Step::Put(object) => (object, Effect::Added),
            Step::Remove(object) => (object, Effect::Removed),
        };
        let revision = self.revision + 1;
        Ok(Applied {
            revision,
            object: stamped(object, revision),
            effect,
        })
    }

    /// What was answered to a request that was carried out, where it is remembered. What was answered long ago has objects as
    /// they are by now; where one has gone, its outcome is a refusal that says so.
    pub fn answered(&self, request_id: &str) -> Option<Vec<Outcome>> {
        Some(match self.requests.get(request_id)? {
            Memory::Answer(outcomes) => outcomes.to_vec(),
            Memory::Facts(facts) => facts.iter().map(|fact| fact.outcome(self)).collect(),
        })
    }

    /// What was answered to a proposal of a sender that may still wait for it.
    pub fn answered_to(&self, sender: u64, number: u64) -> Option<&[Outcome]> {
        self.senders.answered(sender, number)
    }

    fn apply_change(&mut self, change: Change, is_copy: bool, now: Time) -> Outcome {
        if let Verb::All(changes) = change.verb {
            return self.apply_all(changes, now);
        }
        let mut budgets = Vec::new();
        let weight = if is_copy {
            Some(BESIDES_TEXT)
        } else {
            news_of(&change)
        };
        let step = self.decide(change, now, &mut budgets)?;
        for budget in budgets {
            self.put(budget, None);
        }
        Ok(match step {
            Step::Nothing(object) => unchanged(object),
            Step::Put(object) => self.put(object, weight),
            Step::Remove(object) => self.remove(object),
        })
    }

    fn apply_all(&mut self, changes: Vec<Change>, now: Time) -> Outcome {
        let mut trial = self.clone();
        let mut last = Err(Refusal::Invalid("there is nothing to do".to_owned()));
        for change in changes {
            last = Ok(trial.apply_change(change, false, now)?);
        }
        *self = trial;
        last
    }

    /// What becomes of the object the change is about. The budgets of an eviction, as they are then, go to `budgets`.
    fn decide(&self, change: Change, now: Time, budgets: &mut Vec<Object>) -> Result<Step, Refusal> {
        let only_if = &change.only_if;
        match change.verb {
            Verb::Create(object) => {
                let step = rules::create(self, *object, only_if, now)?;
                if let Step::Put(object) = &step {
                    self.check_quotas(object, None)?;
                }
                Ok(step)
            }
            // Said in full before.
            Verb::CreateLike { .. } => Err(nothing_before()),
            Verb::Update(object) => {
                let current = rules::present(self, object.kind(), &object.key(), only_if)?;
                let step = rules::update(current, *object)?;
                if let Step::Put(object) = &step {
                    self.check_quotas(object, Some(current))?;
                }
                Ok(step)
            }
            Verb::UpdateStatus(object) => {
                let current = rules::present(self, object.kind(), &object.key(), only_if)?;
                rules::update_status(current, *object)
            }
            Verb::Delete { kind, key, options } => {
                let current = rules::present(self, kind, &key, only_if)?;
                rules::delete(current, &options, now)
            }
            Verb::Bind { pod, node } => {
                let current = rules::present(self, Kind::Pod, &pod, only_if)?;
                rules::bind(current, &node, now)
            }
            // Taken apart before.
            Verb::All(_) => Err(Refusal::Invalid(
                "changes within changes are not taken".to_owned(),
            )),
            Verb::Evict { pod, options } => {
                let current = rules::present(self, Kind::Pod, &pod, only_if)?;
                let (taken_from, step) = rules::evict(self, current, &options, now)?;
                *budgets = taken_from;
                Ok(step)
            }
        }
    }

    /// `weight` is what is new about the object; `None` where that is all of it.
    fn put(&mut self, object: Object, weight: Option<u32>) -> Applied {
        let object = self.stamped(object);
        let (key, before) = self.tables[object.kind() as usize].put(object.clone());
        self.indexes.follow(&key, before.as_deref(), Some(&object));
        self.follow_quotas(before.as_deref(), Some(&object));
        let effect = if before.is_some() {
            Effect::Modified
        } else {
            Effect::Added
        };
        let weight = weight.unwrap_or_else(|| event_weight(&object));
        self.record(key, before, Some(object.clone()), &object, weight);
        Applied {
            revision: self.revision,
            object,
            effect,
        }
    }

    fn remove(&mut self, object: Object) -> Applied {
        let object = self.stamped(object);
        let removed = self.tables[object.kind() as usize].remove(&object.key());
        let (key, before) = removed.expect("what is removed was there");
        self.indexes.follow(&key, Some(&before), None);
        self.follow_quotas(Some(&before), None);
        let weight = event_weight(&object);
        self.record(key, Some(before), None, &object, weight);
        Applied {
            revision: self.revision,
            object,
            effect: Effect::Removed,
        }
    }

    fn stamped(&mut self, object: Object) -> Arc<Object> {
        self.revision += 1;
        stamped(object, self.revision)
    }

    fn record(
        &mut self,
        key: Arc<ObjectKey>,
        before: Option<Arc<Object>>,
        after: Option<Arc<Object>>,
        newest: &Object,
        weight: u32,
    ) {
        let event = StateEvent {
            revision: self.revision,
            kind: newest.kind(),
            key,
            before,
            after,
        };
        self.history.push(event, weight);
    }
}

/// What the history holds because of a change of a status or a place, besides what objects share; `None` for all other changes,
/// which bring a whole object.
fn news_of(change: &Change) -> Option<u32> {
    match &change.verb {
        Verb::UpdateStatus(object) => Some(event_weight(object)),
        Verb::Bind { .. } => Some(BESIDES_TEXT),
        _ => None,
    }
}

fn unchanged(object: Arc<Object>) -> Applied {
    Applied {
        revision: object.meta().revision(),
        object,
        effect: Effect::Nothing,
    }
}

fn stamped(mut object: Object, revision: u64) -> Arc<Object> {
    object.meta_mut().resource_version = revision.to_string();
    Arc::new(object)
}
