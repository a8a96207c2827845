//! How the machine is doing, as conditions of its Node.

use std::time::Duration;

use skep_api::{ConditionStatus, NodeCondition, NodeConditionType, Time};

use crate::{
    engine::EngineState,
    eviction::{Pressure, Pressures},
    shared::Bridge,
};

/// An engine that is away for less than this is not worth a word.
pub(super) const ENGINE_PATIENCE: Duration = Duration::from_secs(3);

/// The conditions, in Kubernetes' order; times of transition are set by the one who knows the conditions before.
pub(super) fn conditions(
    pressures: &Pressures,
    engine: &EngineState,
    bridge: &Bridge,
    now: Time,
) -> Vec<NodeCondition> {
    use NodeConditionType::{DiskPressure, MemoryPressure, PIDPressure, Ready};
    let (ready, reason, message) = readiness(engine, bridge, now);
    let short = |pressure| pressures.get(&pressure).map(String::as_str);
    let mut all = network(bridge).into_iter().collect::<Vec<_>>();
    all.extend([
        pressure(
            MemoryPressure,
            short(Pressure::Memory),
            "Memory",
            "memory available",
        ),
        pressure(DiskPressure, short(Pressure::Disk), "Disk", "disk space"),
        pressure(PIDPressure, short(Pressure::Pid), "PID", "PIDs available"),
        condition(Ready, ready, reason, message),
    ]);
    all
}

/// Nothing is said before the bridge was tried.
fn network(bridge: &Bridge) -> Option<NodeCondition> {
    let (unavailable, reason, message) = match bridge {
        Bridge::Untried => return None,
        Bridge::Ready => (
            false,
            "BridgeReady",
            "agent has set up the pods' bridge".to_owned(),
        ),
        Bridge::Failed(why) => (true, "BridgeFailed", why.clone()),
    };
    Some(condition(
        NodeConditionType::NetworkUnavailable,
        unavailable,
        reason,
        message,
    ))
}

fn readiness(engine: &EngineState, bridge: &Bridge, now: Time) -> (bool, &'static str, String) {
    match (&engine.away, &engine.info) {
        (Some((since, why)), known) if known.is_none() || now.since(*since) >= ENGINE_PATIENCE => (
            false,
            "EngineUnavailable",
            format!("the container engine does not answer: {why}"),
        ),
        (None, None) => (
            false,
            "EngineUnavailable",
            "the container engine has not answered yet".to_owned(),
        ),
        _ => match bridge {
            Bridge::Failed(why) => (
                false,
                "NetworkNotReady",
                format!("the pods' bridge cannot be set up: {why}"),
            ),
            Bridge::Untried | Bridge::Ready => (
                true,
                "AgentReady",
                "skep agent is posting ready status".to_owned(),
            ),
        },
    }
}

fn pressure(r#type: NodeConditionType, short: Option<&str>, what: &str, of: &str) -> NodeCondition {
    let reason = match (short, what) {
        (Some(_), "Disk") => "AgentHasDiskPressure".to_owned(),
        (None, "Disk") => "AgentHasNoDiskPressure".to_owned(),
        (Some(_), what) => format!("AgentHasInsufficient{what}"),
        (None, what) => format!("AgentHasSufficient{what}"),
    };
    let message = match short {
        Some(why) => format!("agent has insufficient {of}: {why}"),
        None => format!("agent has sufficient {of}"),
    };
    condition(r#type, short.is_some(), &reason, message)
}

fn condition(r#type: NodeConditionType, holds: bool, reason: &str, message: String) -> NodeCondition {
    NodeCondition {
        r#type,
        status: if holds {
            ConditionStatus::True
        } else {
            ConditionStatus::False
        },
        reason: reason.to_owned(),
        message,
        ..NodeCondition::default()
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::runtime::EngineInfo;

    fn check(pressures: &Pressures, engine: &EngineState, bridge: &Bridge, expected: &Expect) {
        let conditions = conditions(pressures, engine, bridge, Time::from_secs(100));
        let lines = conditions
            .iter()
            .map(|c| format!("{:?}={:?} {}\n", c.r#type, c.status, c.reason));
        expected.assert_eq(&lines.collect::<String>());
    }

    fn up() -> EngineState {
        EngineState {
            info: Some(EngineInfo::default()),
            away: None,
        }
    }

    #[test]
    fn a_machine_with_room_is_ready() {
        check(
            &Pressures::new(),
            &up(),
            &Bridge::Untried,
            &expect![[r#"
                MemoryPressure=False AgentHasSufficientMemory
                DiskPressure=False AgentHasNoDiskPressure
                PIDPressure=False AgentHasSufficientPID
                Ready=True AgentReady
            "#]],
        );
    }

    #[test]
    fn what_is_short_shows() {
        check(
            &[Pressure::Memory, Pressure::Disk, Pressure::Pid]
                .map(|pressure| (pressure, "so".to_owned()))
                .into(),
            &up(),
            &Bridge::Ready,
            &expect![[r#"
                NetworkUnavailable=False BridgeReady
                MemoryPressure=True AgentHasInsufficientMemory
                DiskPressure=True AgentHasDiskPressure
                PIDPressure=True AgentHasInsufficientPID
                Ready=True AgentReady
            "#]],
        );
    }

    #[test]
    fn an_engine_that_is_away_for_a_moment_makes_the_node_not_ready() {
        let away = |secs| EngineState {
            away: Some((Time::from_secs(secs), "refused".to_owned())),
            ..up()
        };
        let ready = |engine: &EngineState| readiness(engine, &Bridge::Ready, Time::from_secs(100)).0;
        assert!(ready(&away(98)));
        assert!(!ready(&away(97)));
        assert!(!ready(&EngineState::default()), "an engine that never answered");
    }

    #[test]
    fn a_machine_whose_pods_cannot_have_a_bridge_is_not_ready() {
        check(
            &Pressures::new(),
            &up(),
            &Bridge::Failed("taken".to_owned()),
            &expect![[r#"
                NetworkUnavailable=True BridgeFailed
                MemoryPressure=False AgentHasSufficientMemory
                DiskPressure=False AgentHasNoDiskPressure
                PIDPressure=False AgentHasSufficientPID
                Ready=False NetworkNotReady
            "#]],
        );
    }
}
