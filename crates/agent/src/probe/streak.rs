//! From single answers to a verdict: as many equal answers in a row as the probe's thresholds ask for.

use skep_api::Probe;

/// Counts equal answers in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Streak {
    last: Option<bool>,
    length: i32,
}

impl Streak {
    /// Takes an answer in; the verdict, where the thresholds allow one now.
    pub(super) fn push(&mut self, success: bool, probe: &Probe) -> Option<bool> {
        self.length = if self.last == Some(success) {
            self.length.saturating_add(1)
        } else {
            1
        };
        self.last = Some(success);
        let threshold = if success {
            probe.success_threshold
        } else {
            probe.failure_threshold
        };
        (self.length >= threshold.max(1)).then_some(success)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(probe: &Probe, answers: &str) -> String {
        let mut streak = Streak::default();
        answers
            .chars()
            .map(|answer| match streak.push(answer == '+', probe) {
                None => '.',
                Some(true) => 'Y',
                Some(false) => 'N',
            })
            .collect()
    }

    #[test]
    fn one_success_is_enough_and_failures_count_to_three_by_default() {
        let probe = Probe::default();
        assert_eq!(verdicts(&probe, "--+---+--+----"), "..Y..NY..Y..NN");
    }

    #[test]
    fn a_success_in_between_starts_the_count_anew() {
        let probe = Probe {
            success_threshold: 2,
            failure_threshold: 2,
            ..Probe::default()
        };
        assert_eq!(verdicts(&probe, "+-+-++-+--+"), ".....Y...N.");
    }

    #[test]
    fn a_threshold_of_nothing_counts_as_one() {
        let probe = Probe {
            success_threshold: 0,
            failure_threshold: 0,
            ..Probe::default()
        };
        assert_eq!(verdicts(&probe, "+-"), "YN");
    }
}
