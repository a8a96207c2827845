//! Proposals that may arrive more than once: each sender numbers its own, and says which of them it still waits for.
//!
//! What is remembered is exactly what may still be asked for again, however much is written meanwhile: a proposal that comes
//! twice is carried out once and answered twice, and one that nobody waits for any more is not carried out at all.

use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use crate::Outcome;

/// How many senders are remembered at most: those that were heard of last. Servers of a cluster are a few, each a new one with
/// each start.
pub const SENDERS_MAX: usize = 64;

/// How many proposals a sender may wait for at the same time. It keeps to that itself; where it does not, the oldest counts as
/// one that nobody waits for.
pub const SENT_MAX: usize = 4096;

/// Which proposal of its sender an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The sender: a number that no other one has.
    pub by: u64,
    /// The proposal's number: the same whenever it is sent again.
    pub number: u64,
    /// The sender waits for no proposal with a smaller number than this.
    pub settled: u64,
}

/// Part of the replicated state: every replica remembers the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Senders {
    by: OrdMap<u64, Sender>,
    /// When each was heard of last, as a number that counts up.
    order: OrdMap<u64, u64>,
    next: u64,
}

#[derive(Clone, Debug, Default)]
struct Sender {
    settled: u64,
    answers: OrdMap<u64, Arc<[Outcome]>>,
    heard: u64,
}

/// What is known of a proposal that arrives.
pub(crate) enum Arrival {
    New,
    /// It came before.
    Again(Arc<[Outcome]>),
    /// Nobody waits for it any more.
    Late,
}

/// One sender as a snapshot has it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Known {
    by: u64,
    settled: u64,
    answers: Vec<(u64, Vec<Outcome>)>,
}

impl Senders {
    /// What was answered to a proposal that its sender may still wait for.
    pub(crate) fn answered(&self, by: u64, number: u64) -> Option<&[Outcome]> {
        let sender = self.by.get(&by)?;
        sender.answers.get(&number).map(|outcomes| &**outcomes)
    }

    /// Takes note of a proposal that arrives, and says what is known of it.
    pub(crate) fn arrive(&mut self, sent: &Sent) -> Arrival {
        let sender = self.hear(sent.by);
        sender.settle(sent.settled);
        match sender.answers.get(&sent.number) {
            Some(outcomes) => Arrival::Again(outcomes.clone()),
            None if sent.number < sender.settled => Arrival::Late,
            None => Arrival::New,
        }
    }

    /// Remembers the answer to a proposal that has arrived.
    pub(crate) fn answer(&mut self, sent: &Sent, outcomes: &[Outcome]) {
        let Some(sender) = self.by.get_mut(&sent.by) else {
            return;
        };
        sender.answers.insert(sent.number, outcomes.into());
        while sender.answers.len() > SENT_MAX
            && let Some((oldest, _)) = sender.answers.get_min().cloned()
        {
            sender.settle(oldest + 1);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by.len()
    }

    /// Every sender, the one that was heard of longest ago first.
    pub(crate) fn known(&self) -> impl Iterator<Item = Known> {
        let senders = self
            .order
            .iter()
            .filter_map(|(_, by)| Some((*by, self.by.get(by)?)));
        senders.map(|(by, sender)| Known {
            by,
            settled: sender.settled,
            answers: sender
                .answers
                .iter()
                .map(|(number, outcomes)| (*number, outcomes.to_vec()))
                .collect(),
        })
    }

    /// Takes a sender from a snapshot, in the order of [`Self::known`].
    pub(crate) fn restore(&mut self, known: Known) {
        let sender = self.hear(known.by);
        sender.settled = known.settled;
        sender.answers = known
            .answers
            .into_iter()
            .map(|(number, outcomes)| (number, Arc::from(outcomes)))
            .collect();
    }

    fn hear(&mut self, by: u64) -> &mut Sender {
        let now = self.next;
        self.next += 1;
        if let Some(sender) = self.by.get(&by) {
            self.order.remove(&sender.heard);
        } else if self.by.len() >= SENDERS_MAX
            && let Some((first, silent)) = self.order.get_min().copied()
        {
            self.order.remove(&first);
            self.by.remove(&silent);
        }
        self.order.insert(now, by);
        let sender = self.by.entry(by).or_default();
        sender.heard = now;
        sender
    }
}

impl Sender {
    fn settle(&mut self, settled: u64) {
        self.settled = self.settled.max(settled);
        while let Some((number, _)) = self.answers.get_min().cloned()
            && number < self.settled
        {
            self.answers.remove(&number);
        }
    }
}

impl PartialEq for Senders {
    fn eq(&self, other: &Self) -> bool {
        let all = |senders: &Self| -> Vec<_> {
            let known = senders.known();
            known
                .map(|known| (known.by, known.settled, known.answers))
                .collect()
        };
        all(self) == all(other)
    }
}
