//! What was acknowledged is there, on every server; what was refused is not.

use skep_state::State;

use crate::{
    store::history::{Came, History, What},
    world::has,
};

/// Looks at the state of one server, once nothing is on its way any more.
pub(in crate::store) fn check(history: &History, id: u64, state: &State, told: &str) {
    for call in &history.calls {
        let What::Create(name) = &call.what else { continue };
        match call.came {
            Came::Done => assert!(has(state, name), "server {id} has lost {name}; {told}"),
            Came::Refused => assert!(
                !has(state, name),
                "{name} was refused, yet server {id} has it; {told}"
            ),
            Came::Unknown => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use skep_state::Change;
    use skep_testkit::{config_map, namespace};
    use tokio::time::Instant;

    use super::*;
    use crate::{store::history::Call, world::entry};

    /// A history of the objects `a` and `b`, and a state with `a` alone.
    fn check_with(a: Came, b: Came) {
        let mut state = State::default();
        let made = [
            Change::create(namespace("default")),
            Change::create(config_map("a")),
        ];
        for outcome in state.apply(&entry("", made)) {
            outcome.unwrap();
        }
        let calls = [("a", a), ("b", b)].map(|(name, came)| Call {
            what: What::Create(name.to_owned()),
            began: Instant::now(),
            ended: Instant::now(),
            came,
        });
        check(&History { calls: calls.into() }, 1, &state, "");
    }

    #[test]
    fn what_was_acknowledged_is_there_and_what_is_unknown_may_be() {
        check_with(Came::Done, Came::Refused);
        check_with(Came::Unknown, Came::Unknown);
    }

    #[test]
    #[should_panic(expected = "server 1 has lost b")]
    fn a_write_that_was_acknowledged_and_is_gone_is_noticed() {
        check_with(Came::Done, Came::Done);
    }

    #[test]
    #[should_panic(expected = "a was refused, yet server 1 has it")]
    fn a_write_that_was_refused_and_is_there_is_noticed() {
        check_with(Came::Refused, Came::Unknown);
    }
}
