//! Reads and writes of a register look as if each happened at one moment between its beginning and its end.
//!
//! The search is Wing and Gong's, with the states that were tried remembered (Lowe's refinement).

use std::collections::{BTreeSet, HashSet};

use tokio::time::Instant;

use crate::store::{
    clients::REGISTERS,
    history::{Call, Came, History, What},
};

/// A call of one register.
#[derive(Clone, Debug)]
struct Step {
    began: Instant,
    /// `None` where it may happen at any time after it began, or never.
    ended: Option<Instant>,
    sets: bool,
    value: u64,
}

pub(in crate::store) fn check(history: &History, told: &str) {
    for register in 0..REGISTERS {
        let mut steps: Vec<Step> = history
            .calls
            .iter()
            .filter_map(|call| step(call, register))
            .collect();
        let seen: BTreeSet<u64> = steps
            .iter()
            .filter(|step| !step.sets)
            .map(|step| step.value)
            .collect();
        // A write that may have happened and that nobody saw can be the last of all.
        steps.retain(|step| step.ended.is_some() || seen.contains(&step.value));
        steps.sort_by_key(|step| step.began);
        let count = steps.len();
        assert!(
            is_linearizable(&steps),
            "no order of its {count} calls explains register {register}; {told}\n{steps:#?}"
        );
    }
}

fn step(call: &Call, of: usize) -> Option<Step> {
    let (sets, register, value) = match call.what {
        What::Create(_) => return None,
        What::Set { register, value } => (true, register, value),
        What::Get { register, value } => (false, register, value),
    };
    (register == of && call.came != Came::Refused).then(|| Step {
        began: call.began,
        ended: (call.came == Came::Done).then_some(call.ended),
        sets,
        value,
    })
}

fn is_linearizable(steps: &[Step]) -> bool {
    let mut tried = HashSet::new();
    let mut open = vec![(vec![false; steps.len()], 0)];
    while let Some((done, value)) = open.pop() {
        let left = || (0..steps.len()).filter(|at| !done[*at]);
        if left().all(|at| steps[at].ended.is_none()) {
            return true;
        }
        // Whatever began after another ended comes after it.
        let first_end = left().filter_map(|at| steps[at].ended).min();
        for at in left() {
            let step = &steps[at];
            if first_end.is_some_and(|end| step.began > end) {
                break;
            }
            if !step.sets && step.value != value {
                continue;
            }
            let mut done = done.clone();
            done[at] = true;
            let next = (done, if step.sets { step.value } else { value });
            if tried.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn steps(of: &[(u64, Option<u64>, bool, u64)]) -> Vec<Step> {
        let zero = Instant::now();
        let at = |millis| zero + Duration::from_millis(millis);
        of.iter()
            .map(|(began, ended, sets, value)| Step {
                began: at(*began),
                ended: ended.map(at),
                sets: *sets,
                value: *value,
            })
            .collect()
    }

    #[test]
    fn a_read_of_what_was_overwritten_before_it_began_is_noticed() {
        let set = |value, began| (began, Some(began + 1), true, value);
        assert!(!is_linearizable(&steps(&[
            set(1, 0),
            set(2, 5),
            (10, Some(11), false, 1)
        ])));
        assert!(is_linearizable(&steps(&[
            set(1, 0),
            set(2, 5),
            (10, Some(11), false, 2)
        ])));
    }

    #[test]
    fn reads_during_a_write_may_see_it_but_not_go_back() {
        let write = (0, Some(100), true, 7);
        let (old, new) = ((10, Some(20), false, 0), (30, Some(40), false, 7));
        assert!(is_linearizable(&steps(&[write, old, new])));
        let (new, old) = ((10, Some(20), false, 7), (30, Some(40), false, 0));
        assert!(!is_linearizable(&steps(&[write, new, old])));
    }

    #[test]
    fn a_write_of_unknown_end_may_happen_late_or_never() {
        let unknown = (0, None, true, 7);
        assert!(is_linearizable(&steps(&[
            unknown,
            (10, Some(20), false, 0),
            (30, Some(40), false, 7)
        ])));
        assert!(is_linearizable(&steps(&[unknown, (10, Some(20), false, 0)])));
    }
}
