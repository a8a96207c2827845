//! Which probes of a container are asked when, and what their answers mean. Pure: the loop brings the time.

use std::time::Duration;

use skep_api::{Container, Probe, Time};

use super::streak::Streak;
use crate::pod::Probed;

/// A kind of probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ProbeKind {
    Startup,
    Readiness,
    Liveness,
}

impl ProbeKind {
    const ALL: [Self; 3] = [Self::Startup, Self::Readiness, Self::Liveness];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Readiness => "readiness",
            Self::Liveness => "liveness",
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Readiness => "Readiness",
            Self::Liveness => "Liveness",
        }
    }

    pub(super) fn of(self, container: &Container) -> Option<&Probe> {
        match self {
            Self::Startup => container.startup_probe.as_deref(),
            Self::Readiness => container.readiness_probe.as_deref(),
            Self::Liveness => container.liveness_probe.as_deref(),
        }
    }
}

/// The probes of one running container.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    started_at: Time,
    probes: Vec<Timer>,
    probed: Probed,
}

#[derive(Clone, Debug)]
struct Timer {
    kind: ProbeKind,
    probe: Probe,
    streak: Streak,
    /// `None` while an answer is awaited.
    due: Option<Time>,
}

impl Schedule {
    /// The probes of a container that runs since `started_at`; `known` is what was found out about this run before.
    pub(super) fn new(container: &Container, started_at: Time, known: Probed, now: Time) -> Self {
        let probes = ProbeKind::ALL.into_iter().filter_map(|kind| {
            let probe = kind.of(container)?.clone();
            let due = Some(started_at.plus(seconds(probe.initial_delay_seconds)).max(now));
            Some(Timer {
                kind,
                probe,
                streak: Streak::default(),
                due,
            })
        });
        let mut schedule = Self {
            started_at,
            probes: probes.collect(),
            probed: known,
        };
        if !schedule
            .probes
            .iter()
            .any(|timer| timer.kind == ProbeKind::Startup)
        {
            schedule.probed.started = Some(true);
        }
        schedule
    }

    /// What is known now.
    pub(super) fn probed(&self) -> &Probed {
        &self.probed
    }

    /// When something is to be asked next.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.probes
            .iter()
            .filter(|timer| self.is_active(timer))
            .filter_map(|timer| timer.due)
            .min()
    }

    /// What to ask now; each is not asked again before its answer.
    pub(super) fn take_due(&mut self, now: Time) -> Vec<(ProbeKind, Probe)> {
        let active: Vec<bool> = self.probes.iter().map(|timer| self.is_active(timer)).collect();
        let due = self
            .probes
            .iter_mut()
            .zip(active)
            .filter(|(timer, active)| *active && timer.due.is_some_and(|due| due <= now));
        due.map(|(timer, _)| {
            timer.due = None;
            (timer.kind, timer.probe.clone())
        })
        .collect()
    }

    /// Takes an answer in; true where what is known has changed.
    pub(super) fn answer(&mut self, kind: ProbeKind, success: bool, asked_at: Time, now: Time) -> bool {
        let before = self.probed.clone();
        let Some(timer) = self.probes.iter_mut().find(|timer| timer.kind == kind) else {
            return false;
        };
        let verdict = timer.streak.push(success, &timer.probe);
        timer.due = Some(asked_at.plus(seconds(timer.probe.period_seconds.max(1))).max(now));
        match (kind, verdict) {
            (_, None) => {}
            (ProbeKind::Readiness, Some(ready)) => self.probed.ready = Some(ready),
            (ProbeKind::Startup, Some(true)) => self.start_others(now),
            (ProbeKind::Liveness, Some(true)) => {}
            (ProbeKind::Startup | ProbeKind::Liveness, Some(false)) => {
                self.probed.failed = Some(kind.as_str());
            }
        }
        self.probed != before
    }

    /// Readiness and liveness are asked at once when the startup probe has succeeded.
    fn start_others(&mut self, now: Time) {
        self.probed.started = Some(true);
        for timer in self
            .probes
            .iter_mut()
            .filter(|timer| timer.kind != ProbeKind::Startup)
        {
            let first = self.started_at.plus(seconds(timer.probe.initial_delay_seconds));
            timer.due = timer.due.map(|_| first.max(now));
        }
    }

    /// The startup probe holds the others back and ends with its success; nothing is asked of a container that is to be killed.
    fn is_active(&self, timer: &Timer) -> bool {
        let started = self.probed.started == Some(true);
        self.probed.failed.is_none() && started != (timer.kind == ProbeKind::Startup)
    }
}

fn seconds(count: i32) -> Duration {
    Duration::from_secs(u64::try_from(count).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container() -> Container {
        let readiness = Probe {
            initial_delay_seconds: 5,
            period_seconds: 3,
            ..Probe::default()
        };
        let liveness = Probe {
            failure_threshold: 2,
            ..Probe::default()
        };
        let startup = Probe {
            period_seconds: 1,
            ..Probe::default()
        };
        Container {
            readiness_probe: Some(Box::new(readiness)),
            liveness_probe: Some(Box::new(liveness)),
            startup_probe: Some(Box::new(startup)),
            ..Container::default()
        }
    }

    fn at(secs: i64) -> Time {
        Time::from_secs(secs)
    }

    fn due(schedule: &mut Schedule, secs: i64) -> Vec<ProbeKind> {
        schedule
            .take_due(at(secs))
            .into_iter()
            .map(|(kind, _)| kind)
            .collect()
    }

    #[test]
    fn the_startup_probe_holds_the_others_back() {
        let mut schedule = Schedule::new(&container(), at(0), Probed::default(), at(0));
        assert_eq!(due(&mut schedule, 60), [ProbeKind::Startup]);
        assert_eq!(due(&mut schedule, 61), [], "nothing is asked twice at once");
        assert!(schedule.answer(ProbeKind::Startup, true, at(60), at(61)));
        assert_eq!(schedule.probed().started, Some(true));
        assert_eq!(
            due(&mut schedule, 61),
            [ProbeKind::Readiness, ProbeKind::Liveness]
        );
    }

    #[test]
    fn the_first_try_waits_for_the_initial_delay_and_the_next_for_the_period() {
        let container = Container {
            startup_probe: None,
            liveness_probe: None,
            ..container()
        };
        let mut schedule = Schedule::new(&container, at(100), Probed::default(), at(100));
        assert_eq!(schedule.next_due(), Some(at(105)));
        assert_eq!(due(&mut schedule, 104), []);
        assert_eq!(due(&mut schedule, 105), [ProbeKind::Readiness]);
        assert!(schedule.answer(ProbeKind::Readiness, true, at(105), at(106)));
        assert_eq!(
            (schedule.next_due(), schedule.probed().ready),
            (Some(at(108)), Some(true))
        );
    }

    #[test]
    fn a_container_that_failed_for_good_is_asked_nothing_more() {
        let container = Container {
            startup_probe: None,
            readiness_probe: None,
            ..container()
        };
        let mut schedule = Schedule::new(&container, at(0), Probed::default(), at(0));
        assert_eq!(due(&mut schedule, 0), [ProbeKind::Liveness]);
        assert!(!schedule.answer(ProbeKind::Liveness, false, at(0), at(1)));
        assert_eq!(due(&mut schedule, 10), [ProbeKind::Liveness]);
        assert!(schedule.answer(ProbeKind::Liveness, false, at(10), at(11)));
        assert_eq!(schedule.probed().failed, Some("liveness"));
        assert_eq!(schedule.next_due(), None);
    }

    #[test]
    fn what_was_known_of_a_run_lasts_over_a_restart_of_the_agent() {
        let known = Probed {
            started: Some(true),
            ready: Some(true),
            failed: None,
        };
        let mut schedule = Schedule::new(&container(), at(0), known.clone(), at(500));
        assert_eq!(schedule.probed(), &known);
        assert_eq!(
            due(&mut schedule, 500),
            [ProbeKind::Readiness, ProbeKind::Liveness]
        );
        assert!(
            !schedule.answer(ProbeKind::Readiness, false, at(500), at(500)),
            "one failure is not three"
        );
    }
}
