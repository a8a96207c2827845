//! Watches a simulated cluster and remembers what a report is made of.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use skep_api::{Event, EventType, Object, Pod, duration};
use skep_state::{State, StateEvent};

use crate::{Report, Scenario, Waits, report};

/// Lines of the timeline that are kept; the oldest go first.
const TIMELINE_MAX: usize = 10_000;

/// Ordinary work, of which there is too much for a timeline.
const ROUTINE: [&str; 4] = [
    "Scheduled",
    "SuccessfulCreate",
    "SuccessfulDelete",
    "ScalingReplicaSet",
];

#[derive(Default)]
pub(crate) struct Observer {
    /// When pods that wait were made, by uid. Looked up only, never walked.
    waiting: HashMap<String, Duration>,
    starting: HashMap<String, Duration>,
    placed: Vec<Duration>,
    started: Vec<Duration>,
    /// What happened, by the reason of its event.
    reasons: BTreeMap<String, u64>,
    timeline: VecDeque<String>,
}

impl Observer {
    pub(crate) fn note(&mut self, event: &StateEvent, now: Duration) {
        match (event.before.as_deref(), event.after.as_deref()) {
            (before, Some(Object::Pod(pod))) => self.note_pod(before.and_then(pod_in), pod, now),
            (Some(Object::Pod(pod)), None) => {
                self.waiting.remove(&pod.metadata.uid);
                self.starting.remove(&pod.metadata.uid);
            }
            (before, Some(Object::Event(event))) => {
                let counted = match before {
                    Some(Object::Event(before)) => before.count,
                    _ => 0,
                };
                self.note_event(event, counted, now);
            }
            _ => {}
        }
    }

    pub(crate) fn timeline(&self) -> impl Iterator<Item = String> + '_ {
        self.timeline.iter().cloned()
    }

    pub(crate) fn report(&self, scenario: &Scenario, state: &State, now: Duration) -> Report {
        let mut report = report::of(state);
        report.title.clone_from(&scenario.title);
        report.simulated_seconds = now.as_secs();
        report.placed = Waits::of(self.placed.clone());
        report.started = Waits::of(self.started.clone());
        report.events.clone_from(&self.reasons);
        report
    }

    fn note_pod(&mut self, before: Option<&Pod>, pod: &Pod, now: Duration) {
        let uid = &pod.metadata.uid;
        if before.is_none() {
            self.waiting.insert(uid.clone(), now);
            self.starting.insert(uid.clone(), now);
        }
        if !pod.spec.node_name.is_empty()
            && let Some(since) = self.waiting.remove(uid)
        {
            self.placed.push(now - since);
        }
        if pod.is_ready()
            && let Some(since) = self.starting.remove(uid)
        {
            self.started.push(now - since);
        }
    }

    fn note_event(&mut self, event: &Event, counted: i32, now: Duration) {
        let fresh = u64::try_from(event.count.max(1) - counted).unwrap_or(0);
        *self.reasons.entry(event.reason.clone()).or_default() += fresh;
        let told = event.r#type == EventType::Warning || !ROUTINE.contains(&event.reason.as_str());
        // Said again and again: the first time is enough.
        if !told || counted > 0 {
            return;
        }
        if self.timeline.len() == TIMELINE_MAX {
            self.timeline.pop_front();
        }
        let about = &event.involved_object;
        self.timeline.push_back(format!(
            "{:>8}  {:<18} {}/{}: {}",
            duration::human(now),
            event.reason,
            about.kind,
            about.name,
            event.message
        ));
    }
}

fn pod_in(object: &Object) -> Option<&Pod> {
    match object {
        Object::Pod(pod) => Some(pod),
        _ => None,
    }
}
