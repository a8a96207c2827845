//! What is to be told to the server: the newest state of each pod and of the node, and events. Bounded; survives reconnects.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use skep_api::Struct;
use skep_api::{
    PodStatus, convert,
    proto::{AgentMessage, EventReport, EventReports, PodReport, PodReports, agent_message::Message},
};
use tokio::sync::Notify;

/// Pods or events in one message.
const BATCH_MAX: usize = 256;

/// Events that wait; the oldest go first where there are more.
const EVENTS_MAX: usize = 1024;

/// What is to be told. The newest state of a thing replaces an older one that was not sent yet.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    pods: BTreeMap<String, PodReport>,
    unsent: BTreeSet<String>,
    node: Option<Struct>,
    node_unsent: bool,
    events: VecDeque<EventReport>,
    /// Events sent and not confirmed, by the number of their message.
    unconfirmed: VecDeque<(u64, Vec<EventReport>)>,
}

impl Outbox {
    /// Tells how a pod is doing.
    pub(crate) fn report(&self, report: PodReport) {
        let mut state = self.lock();
        state.unsent.insert(report.uid.clone());
        state.pods.insert(report.uid.clone(), report);
        drop(state);
        self.changed.notify_one();
    }

    /// Notes how a pod is doing, where the server knows that already.
    pub(crate) fn keep(&self, report: PodReport) {
        self.lock().pods.insert(report.uid.clone(), report);
    }

    /// The status that was told last of a pod.
    pub(crate) fn status(&self, uid: &str) -> Option<PodStatus> {
        let document = self.lock().pods.get(uid)?.status.clone()?;
        serde_json::from_value(convert::value_from_struct(document)).ok()
    }

    /// The server has nothing to do with the pod any more.
    pub(crate) fn forget(&self, uid: &str) {
        let mut state = self.lock();
        state.pods.remove(uid);
        state.unsent.remove(uid);
    }

    /// Tells how the node is doing.
    pub(crate) fn node(&self, node: Struct) {
        let mut state = self.lock();
        state.node = Some(node);
        state.node_unsent = true;
        drop(state);
        self.changed.notify_one();
    }

    /// Tells of something that happened.
    pub(crate) fn event(&self, event: EventReport) {
        let mut state = self.lock();
        state.events.push_back(event);
        while state.events.len() > EVENTS_MAX {
            state.events.pop_front();
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Waits for something to send.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// A new session has begun: all states are told again, and the events that were not confirmed.
    pub(crate) fn restart(&self) {
        let mut state = self.lock();
        let State { pods, unsent, .. } = &mut *state;
        unsent.extend(pods.keys().cloned());
        state.node_unsent = state.node.is_some();
        while let Some((_, events)) = state.unconfirmed.pop_back() {
            for event in events.into_iter().rev() {
                state.events.push_front(event);
            }
        }
        state.events.truncate(EVENTS_MAX);
        drop(state);
        self.changed.notify_one();
    }

    /// The server asks how all pods are doing.
    pub(crate) fn tell_pods_again(&self) {
        let mut state = self.lock();
        let State { pods, unsent, .. } = &mut *state;
        unsent.extend(pods.keys().cloned());
        drop(state);
        self.changed.notify_one();
    }

    /// The server took in so many messages of this session.
    pub(crate) fn confirm(&self, messages: u64) {
        let mut state = self.lock();
        while state
            .unconfirmed
            .front()
            .is_some_and(|(number, _)| *number <= messages)
        {
            state.unconfirmed.pop_front();
        }
    }

    /// The next message, which will be this session's `number`th; `None` where all is told.
    pub(crate) fn next(&self, number: u64) -> Option<AgentMessage> {
        let mut state = self.lock();
        let message = state
            .next_node()
            .or_else(|| state.next_pods())
            .or_else(|| state.next_events(number));
        message.map(|message| AgentMessage {
            message: Some(message),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next_node(&mut self) -> Option<Message> {
        std::mem::take(&mut self.node_unsent)
            .then(|| self.node.clone())
            .flatten()
            .map(Message::Node)
    }

    fn next_pods(&mut self) -> Option<Message> {
        let mut pods = Vec::new();
        while pods.len() < BATCH_MAX
            && let Some(uid) = self.unsent.pop_first()
        {
            pods.extend(self.pods.get(&uid).cloned());
        }
        (!pods.is_empty()).then_some(Message::Pods(PodReports { pods }))
    }

    fn next_events(&mut self, number: u64) -> Option<Message> {
        let count = self.events.len().min(BATCH_MAX);
        let events: Vec<EventReport> = self.events.drain(..count).collect();
        if events.is_empty() {
            return None;
        }
        self.unconfirmed.push_back((number, events.clone()));
        while self.unconfirmed.len() > EVENTS_MAX / BATCH_MAX {
            self.unconfirmed.pop_front();
        }
        Some(Message::Events(EventReports { events }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(uid: &str, gone: bool) -> PodReport {
        PodReport {
            uid: uid.to_owned(),
            gone,
            ..PodReport::default()
        }
    }

    fn event(reason: &str) -> EventReport {
        EventReport {
            reason: reason.to_owned(),
            ..EventReport::default()
        }
    }

    /// All messages from this number on, in short.
    fn drain(outbox: &Outbox, number: u64) -> Vec<String> {
        let messages = (number..)
            .map_while(|number| outbox.next(number))
            .filter_map(|message| message.message);
        let show = |message| match message {
            Message::Pods(reports) => {
                let all = reports
                    .pods
                    .iter()
                    .map(|pod| format!("{}{}", pod.uid, if pod.gone { "!" } else { "" }));
                format!("pods {}", all.collect::<Vec<_>>().join(" "))
            }
            Message::Events(reports) => {
                let all = reports.events.iter().map(|event| event.reason.as_str());
                format!("events {}", all.collect::<Vec<_>>().join(" "))
            }
            Message::Node(_) => "node".to_owned(),
            other => format!("{other:?}"),
        };
        messages.map(show).collect()
    }

    #[test]
    fn only_the_newest_state_of_a_pod_is_sent() {
        let outbox = Outbox::default();
        outbox.report(report("a", false));
        outbox.report(report("b", false));
        outbox.report(report("a", true));
        assert_eq!(drain(&outbox, 1), ["pods a! b"]);
        assert_eq!(drain(&outbox, 2), [""; 0]);
    }

    #[test]
    fn a_message_has_256_pods_at_most() {
        let outbox = Outbox::default();
        (0..600).for_each(|n| outbox.report(report(&format!("{n:03}"), false)));
        let sizes: Vec<usize> = drain(&outbox, 1)
            .iter()
            .map(|line| line.split(' ').count() - 1)
            .collect();
        assert_eq!(sizes, [256, 256, 88]);
    }

    #[test]
    fn a_new_session_hears_all_states_and_the_events_that_were_not_confirmed() {
        let outbox = Outbox::default();
        outbox.keep(report("known", false));
        outbox.report(report("new", false));
        outbox.event(event("First"));
        assert_eq!(drain(&outbox, 1), ["pods new", "events First"]);
        outbox.event(event("Second"));
        assert_eq!(drain(&outbox, 3), ["events Second"]);
        outbox.confirm(2);
        outbox.node(Struct::default());
        outbox.restart();
        assert_eq!(drain(&outbox, 1), ["node", "pods known new", "events Second"]);
    }

    #[test]
    fn a_server_that_asks_hears_all_pods_again_and_no_event_twice() {
        let outbox = Outbox::default();
        outbox.report(report("a", false));
        outbox.event(event("First"));
        assert_eq!(drain(&outbox, 1), ["pods a", "events First"]);
        outbox.tell_pods_again();
        assert_eq!(drain(&outbox, 3), ["pods a"]);
    }

    #[test]
    fn events_are_bounded_and_the_oldest_go_first() {
        let outbox = Outbox::default();
        (0..EVENTS_MAX + 10).for_each(|n| outbox.event(event(&n.to_string())));
        let first = drain(&outbox, 1).remove(0);
        assert!(first.starts_with("events 10 11 "), "{first}");
    }

    #[test]
    fn a_pod_that_the_server_forgot_is_not_told_again() {
        let outbox = Outbox::default();
        outbox.report(report("a", true));
        outbox.forget("a");
        outbox.restart();
        assert_eq!(drain(&outbox, 1), [""; 0]);
    }
}
