//! Finds the leader for something that only it can do, and keeps trying until a deadline.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use crate::{Member, leadership::View};

const PAUSE_LEAST: Duration = Duration::from_millis(10);
const PAUSE_MOST: Duration = Duration::from_millis(200);

/// One search for the leader.
pub(crate) struct Guide {
    me: u64,
    view: watch::Receiver<View>,
    deadline: Instant,
    pause: Duration,
    /// Who leads, as another server said.
    hint: Option<u64>,
    /// Whom to ask next where nobody knows.
    next: usize,
}

/// Who may lead.
pub(crate) enum Target {
    Here,
    There(Member),
    Nobody,
}

impl Guide {
    pub(crate) fn new(me: u64, view: watch::Receiver<View>, limit: Duration) -> Self {
        Self {
            me,
            view,
            deadline: Instant::now() + limit,
            pause: PAUSE_LEAST,
            hint: None,
            next: 0,
        }
    }

    /// The server to try now: the leader where it is known, else one after the other.
    pub(crate) fn target(&mut self) -> Target {
        let view = self.view.borrow_and_update();
        if view.leads {
            return Target::Here;
        }
        let known = view.leader.filter(|leader| *leader != self.me);
        let known = self.hint.take().or(known).and_then(|id| view.member(id)).cloned();
        let others: Vec<&Member> = view.voters().filter(|member| member.id != self.me).collect();
        let turn = known.or_else(|| {
            let turn = self.next % others.len().max(1);
            others.get(turn).map(|member| (*member).clone())
        });
        self.next += 1;
        turn.map_or(Target::Nobody, Target::There)
    }

    /// The leader, as far as this server knows.
    pub(crate) fn leader(&self) -> Option<u64> {
        self.view.borrow().leader
    }

    /// What a server said that does not lead.
    pub(crate) fn hint(&mut self, leader: Option<u64>) {
        self.hint = leader.filter(|leader| *leader != self.me);
    }

    /// The time that is left.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Waits for a reason to try again; false where there is no time left, or the store has stopped.
    pub(crate) async fn again(&mut self) -> bool {
        let left = self.left();
        if left.is_zero() {
            return false;
        }
        // A hint is as good as a change of view, but two servers may point at each other.
        let pause = self.pause.min(left);
        self.pause = (self.pause * 2).min(PAUSE_MOST);
        !matches!(timeout(pause, self.view.changed()).await, Ok(Err(_)))
    }
}
