//! How the machine is doing, as conditions of its Node.

use std::{path::Path, time::Duration};

use skep_api::{ConditionStatus, NodeCondition, NodeConditionType, Time};

use super::{
    Disk,
    gauges::{self, Memory, Pids},
};
use crate::{PressureThresholds, engine::EngineState, shared::Bridge};

/// An engine that is away for less than this is not worth a word.
pub(super) const ENGINE_PATIENCE: Duration = Duration::from_secs(3);

/// What was measured.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Measured {
    pub(super) memory: Memory,
    pub(super) disk: Disk,
    pub(super) pids: Pids,
}

impl Measured {
    /// Measures now; `root` lies on the disk in question.
    pub(super) fn take(root: &Path) -> Self {
        Self {
            memory: gauges::memory(),
            disk: gauges::disk(root).unwrap_or_default(),
            pids: gauges::pids(),
        }
    }
}

/// The conditions, in Kubernetes' order; times of transition are set by the one who knows the conditions before.
pub(super) fn conditions(
    measured: &Measured,
    engine: &EngineState,
    bridge: &Bridge,
    thresholds: &PressureThresholds,
    now: Time,
) -> Vec<NodeCondition> {
    use NodeConditionType::{DiskPressure, MemoryPressure, PIDPressure, Ready};
    let Measured { memory, disk, pids } = measured;
    let low_memory = memory.total_bytes > 0 && memory.available_bytes < thresholds.memory_available_bytes;
    let low_disk = disk.total_bytes > 0 && 100 - disk.used_percent() < thresholds.disk_available_percent;
    let free_pids = pids.max.saturating_sub(pids.used) * 100;
    let low_pids = pids.max > 0 && free_pids < pids.max * u64::from(thresholds.pid_available_percent);
    let (ready, reason, message) = readiness(engine, bridge, now);
    let mut all = network(bridge).into_iter().collect::<Vec<_>>();
    all.extend([
        pressure(MemoryPressure, low_memory, "Memory", "memory available"),
        pressure(DiskPressure, low_disk, "Disk", "disk space"),
        pressure(PIDPressure, low_pids, "PID", "PIDs available"),
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

fn pressure(r#type: NodeConditionType, low: bool, what: &str, of: &str) -> NodeCondition {
    let (reason, message) = match (low, what) {
        (true, "Memory") => (
            "AgentHasInsufficientMemory",
            format!("agent has insufficient {of}"),
        ),
        (true, "Disk") => ("AgentHasDiskPressure", format!("agent has too little {of}")),
        (true, _) => ("AgentHasInsufficientPID", format!("agent has insufficient {of}")),
        (false, "Memory") => ("AgentHasSufficientMemory", format!("agent has sufficient {of}")),
        (false, "Disk") => ("AgentHasNoDiskPressure", format!("agent has sufficient {of}")),
        (false, _) => ("AgentHasSufficientPID", format!("agent has sufficient {of}")),
    };
    condition(r#type, low, reason, message)
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

    fn check(measured: Measured, engine: &EngineState, bridge: &Bridge, expected: &Expect) {
        let conditions = conditions(
            &measured,
            engine,
            bridge,
            &PressureThresholds::default(),
            Time::from_secs(100),
        );
        let lines = conditions
            .iter()
            .map(|c| format!("{:?}={:?} {}\n", c.r#type, c.status, c.reason));
        expected.assert_eq(&lines.collect::<String>());
    }

    fn measured(memory_mib: u64, disk_free: u64, pids: u64) -> Measured {
        Measured {
            memory: Memory {
                total_bytes: 4 << 30,
                available_bytes: memory_mib << 20,
            },
            disk: Disk {
                total_bytes: 100,
                available_bytes: disk_free,
            },
            pids: Pids {
                max: 1000,
                used: pids,
            },
        }
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
            measured(1000, 50, 10),
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
    fn thresholds_turn_into_pressure() {
        check(
            measured(99, 9, 951),
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
            measured(1000, 50, 10),
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
