//! Which pod goes first, by the kubelet's rules. Pure.

use super::{Signal, keeper::Short};

/// From this priority on, pods are the system's, and are not evicted.
const CRITICAL: i32 = 2_000_000_000;

/// What a pod uses of its node, and what it has asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PodUse {
    pub(super) uid: String,
    /// Namespace and name.
    pub(super) key: String,
    pub(super) priority: i32,
    pub(super) containers: Vec<ContainerUse>,
    /// Bytes in volumes that are gone with the pod.
    pub(super) volume_bytes: u64,
}

/// What a container uses, and what it has asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ContainerUse {
    pub(super) name: String,
    pub(super) memory_bytes: u64,
    pub(super) memory_request: u64,
    /// Its own files and its log.
    pub(super) disk_bytes: u64,
    pub(super) disk_request: u64,
    pub(super) pids: u64,
}

impl PodUse {
    /// Use and request of what is short.
    fn of(&self, signal: Signal) -> (u64, u64) {
        let sum = |part: fn(&ContainerUse) -> u64| self.containers.iter().map(part).sum::<u64>();
        match signal {
            Signal::MemoryAvailable => (sum(|c| c.memory_bytes), sum(|c| c.memory_request)),
            Signal::PidAvailable => (sum(|c| c.pids), 0),
            _ => (sum(|c| c.disk_bytes) + self.volume_bytes, sum(|c| c.disk_request)),
        }
    }
}

/// The pod to evict: of those that use more than they asked for, or else of all, one of the lowest priority, and of these the one
/// that uses most beyond its request. `None` where there is none that may go or whose end would win anything.
pub(super) fn victim(pods: &[PodUse], signal: Signal) -> Option<&PodUse> {
    let may_go = |pod: &&PodUse| pod.priority < CRITICAL && pod.of(signal).0 > 0;
    pods.iter()
        .filter(may_go)
        .min_by(|a, b| order(a, signal).cmp(&order(b, signal)))
}

/// Smaller goes first. Process numbers cannot be asked for, so everybody has none too many.
fn order(pod: &PodUse, signal: Signal) -> (bool, i32, std::cmp::Reverse<i128>, &str) {
    let (used, asked) = pod.of(signal);
    let within = signal != Signal::PidAvailable && used <= asked;
    let beyond = i128::from(used) - i128::from(asked);
    (within, pod.priority, std::cmp::Reverse(beyond), &pod.key)
}

/// Why the pod goes, in the kubelet's words.
pub(super) fn message(pod: &PodUse, short: &Short) -> String {
    let signal = short.signal;
    let mut text = format!(
        "The node was low on resource: {}. Threshold quantity: {}, available: {}. ",
        signal.resource(),
        signal.shown(short.threshold),
        signal.shown(short.available)
    );
    for container in &pod.containers {
        let (used, asked) = match signal {
            Signal::MemoryAvailable => (container.memory_bytes, container.memory_request),
            Signal::PidAvailable => (container.pids, 0),
            _ => (container.disk_bytes, container.disk_request),
        };
        if used > asked {
            // Inodes are counted for the node alone; what a container uses is told in bytes.
            let shown = |amount| match signal {
                Signal::PidAvailable => signal.shown(amount),
                _ => Signal::MemoryAvailable.shown(amount),
            };
            text += &format!(
                "Container {} was using {}, request is {}, has larger consumption of {}. ",
                container.name,
                shown(used),
                shown(asked),
                signal.resource()
            );
        }
    }
    if signal.pressure() == super::Pressure::Disk && pod.volume_bytes > 0 {
        text += &format!(
            "Its volumes held {}. ",
            Signal::NodefsAvailable.shown(pod.volume_bytes)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn pod(key: &str, priority: i32, used_mib: u64, asked_mib: u64) -> PodUse {
        PodUse {
            uid: key.to_owned(),
            key: key.to_owned(),
            priority,
            containers: vec![ContainerUse {
                name: "main".to_owned(),
                memory_bytes: used_mib * MIB,
                memory_request: asked_mib * MIB,
                disk_bytes: used_mib * MIB,
                disk_request: asked_mib * MIB,
                pids: used_mib,
            }],
            ..PodUse::default()
        }
    }

    fn order_of(mut pods: Vec<PodUse>, signal: Signal) -> String {
        let mut names = Vec::new();
        while let Some(next) = victim(&pods, signal).map(|pod| pod.uid.clone()) {
            pods.retain(|pod| pod.uid != next);
            names.push(next);
        }
        names.join(" ")
    }

    #[test]
    fn who_uses_more_than_asked_goes_before_priority_and_priority_before_use() {
        let pods = vec![
            pod("within-low", -10, 90, 100),
            pod("over-high", 100, 500, 100),
            pod("over-low-small", 0, 120, 100),
            pod("over-low-large", 0, 300, 100),
            pod("critical", CRITICAL, 900, 0),
            pod("idle", -20, 0, 0),
        ];
        assert_eq!(
            order_of(pods, Signal::MemoryAvailable),
            "over-low-large over-low-small over-high within-low"
        );
    }

    #[test]
    fn for_process_numbers_priority_counts_then_use() {
        let pods = vec![
            pod("many", 5, 900, 1000),
            pod("some", 0, 30, 0),
            pod("few", 0, 3, 0),
        ];
        assert_eq!(order_of(pods, Signal::PidAvailable), "some few many");
    }

    #[test]
    fn volumes_count_as_disk() {
        let mut heavy = pod("heavy", 0, 1, 0);
        heavy.volume_bytes = 100 * MIB;
        assert_eq!(
            order_of(
                vec![pod("light", 0, 50, 0), heavy.clone()],
                Signal::NodefsAvailable
            ),
            "heavy light"
        );
        let short = Short {
            signal: Signal::NodefsAvailable,
            threshold: 10 << 30,
            available: 9 << 30,
            grace: Duration::ZERO,
        };
        expect!["The node was low on resource: ephemeral-storage. Threshold quantity: 10Gi, available: 9Gi. Container main was using 1Mi, request is 0, has larger consumption of ephemeral-storage. Its volumes held 100Mi. "].assert_eq(&message(&heavy, &short));
    }

    #[test]
    fn the_message_says_what_was_short_and_who_used_more_than_asked() {
        let short = Short {
            signal: Signal::MemoryAvailable,
            threshold: 100 * MIB,
            available: 90 * MIB,
            grace: Duration::ZERO,
        };
        expect!["The node was low on resource: memory. Threshold quantity: 100Mi, available: 90Mi. Container main was using 300Mi, request is 100Mi, has larger consumption of memory. "].assert_eq(&message(&pod("a", 0, 300, 100), &short));
        expect!["The node was low on resource: memory. Threshold quantity: 100Mi, available: 90Mi. "]
            .assert_eq(&message(&pod("a", 0, 50, 100), &short));
    }

    proptest! {
        #[test]
        fn nobody_within_his_request_goes_before_one_beyond_it_and_the_order_of_the_list_does_not_matter(
            uses in proptest::collection::vec((-3i32..3, 0u64..5, 0u64..5), 1..8),
            turn in 0usize..8,
        ) {
            let pods: Vec<PodUse> = uses
                .iter()
                .enumerate()
                .map(|(n, (priority, used, asked))| pod(&format!("p{n}"), *priority, *used, *asked))
                .collect();
            let mut turned = pods.clone();
            turned.rotate_left(turn % pods.len());
            for signal in Signal::ALL {
                let chosen = victim(&pods, signal);
                prop_assert_eq!(chosen, victim(&turned, signal));
                let Some(chosen) = chosen else {
                    prop_assert!(pods.iter().all(|pod| pod.of(signal).0 == 0));
                    continue;
                };
                let (used, asked) = chosen.of(signal);
                for other in &pods {
                    let (others_use, others_ask) = other.of(signal);
                    if others_use > others_ask && signal != Signal::PidAvailable {
                        prop_assert!(used > asked, "{} is within its request", chosen.key);
                        prop_assert!(chosen.priority <= other.priority);
                    }
                }
            }
        }
    }
}
