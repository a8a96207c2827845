//! What every cluster comes with: priority classes, tiers and pools. They can be edited and deleted, and stay so.

use skep_api::{
    IntOrString, Namespace, NodePool, NodePoolSpec, NodePoolStatus, Object, ObjectKey, ObjectMeta,
    PriorityClass, TierDisruptionBudget, TierSpread, UnsatisfiableConstraintAction, WorkloadTier,
    WorkloadTierSpec, well_known,
};
use skep_state::{Change, State};

/// The namespace whose annotation says what was installed.
pub const SYSTEM_NAMESPACE: &str = "kube-system";

/// The annotation of [`SYSTEM_NAMESPACE`] with the version of the defaults that were installed last.
pub const DEFAULTS_ANNOTATION: &str = "skep.io/defaults";

/// The version of the defaults below. Raise it with each one that is added, and give that one the new number.
pub const DEFAULTS_VERSION: u32 = 1;

/// What to create so that the cluster has the defaults that it never had, and the priority classes that it cannot do without.
/// What was edited is left alone, what was deleted stays so. New objects lack uid and creation time.
pub fn missing_defaults(state: &State) -> Vec<Change> {
    let installed = state
        .get::<Namespace>(&ObjectKey::cluster(SYSTEM_NAMESPACE))
        .and_then(|namespace| {
            namespace
                .metadata
                .annotations
                .get(DEFAULTS_ANNOTATION)?
                .parse()
                .ok()
        })
        .unwrap_or(0);
    let lacks = |object: &Object| state.object(object.kind(), &object.key()).is_none();
    let own = system_classes().into_iter().map(Object::from).filter(&lacks);
    let new = defaults().into_iter().filter(|(since, _)| *since > installed);
    own.chain(new.map(|(_, object)| object).filter(&lacks))
        .map(Change::create)
        .collect()
}

/// Priority classes that may be neither changed nor deleted.
fn system_classes() -> [PriorityClass; 2] {
    [
        class(
            PriorityClass::NODE_CRITICAL,
            2_000_001_000,
            "For pods that a node cannot do without: they come before all others.",
        ),
        class(
            PriorityClass::CLUSTER_CRITICAL,
            2_000_000_000,
            "For pods that the cluster cannot do without.",
        ),
    ]
}

/// Each with the version of the defaults that it came with.
fn defaults() -> Vec<(u32, Object)> {
    let classes = [
        class(
            "high-priority",
            1_000_000,
            "For pods that come before those that say nothing.",
        ),
        class(
            "low-priority",
            -1_000_000,
            "For pods that make way for those that say nothing.",
        ),
    ];
    let pools = [
        pool("production-pool", "Nodes for what is mission critical."),
        pool("general-pool", "General purpose nodes."),
        pool("memory-pool", "Nodes with much memory."),
        pool("gpu-pool", "Nodes with GPUs."),
        pool("spot-pool", "Nodes that may go away at any time."),
    ];
    let classes = classes.into_iter().map(Object::from);
    let pools = pools.into_iter().map(Object::from);
    let tiers = tiers().into_iter().map(Object::from);
    classes
        .chain(pools)
        .chain(tiers)
        .map(|object| (1, object))
        .collect()
}

fn tiers() -> [WorkloadTier; 3] {
    let spread = |topology_key: &str, when_unsatisfiable| TierSpread {
        topology_key: topology_key.to_owned(),
        when_unsatisfiable,
        ..TierSpread::default()
    };
    let unavailable = |count: i32| TierDisruptionBudget {
        max_unavailable: Some(IntOrString::Int(count)),
        ..TierDisruptionBudget::default()
    };
    let mission = WorkloadTierSpec {
        description: "Tier 1: API, database proxy, auth".to_owned(),
        disruption_budget: Some(unavailable(0)),
        spread: Some(spread(
            well_known::ZONE,
            UnsatisfiableConstraintAction::DoNotSchedule,
        )),
        priority_class_name: PriorityClass::CLUSTER_CRITICAL.to_owned(),
        node_pool: "production-pool".to_owned(),
        requests_percent_of_limits: Some(50),
    };
    let business = WorkloadTierSpec {
        description: "Tier 2: worker services, queues".to_owned(),
        disruption_budget: Some(unavailable(1)),
        spread: Some(spread(
            well_known::HOSTNAME,
            UnsatisfiableConstraintAction::ScheduleAnyway,
        )),
        priority_class_name: "high-priority".to_owned(),
        node_pool: "general-pool".to_owned(),
        requests_percent_of_limits: Some(70),
    };
    let other = WorkloadTierSpec {
        description: "Tier 3: batch jobs, analytics".to_owned(),
        disruption_budget: Some(TierDisruptionBudget {
            min_available: Some(IntOrString::Int(0)),
            ..TierDisruptionBudget::default()
        }),
        spread: None,
        priority_class_name: "low-priority".to_owned(),
        node_pool: "spot-pool".to_owned(),
        requests_percent_of_limits: Some(90),
    };
    [
        ("mission-critical", mission),
        ("business-critical", business),
        ("non-critical", other),
    ]
    .map(|(name, spec)| WorkloadTier {
        metadata: named(name),
        spec,
    })
}

fn class(name: &str, value: i32, description: &str) -> PriorityClass {
    PriorityClass {
        metadata: named(name),
        value,
        description: description.to_owned(),
        ..PriorityClass::default()
    }
}

fn pool(name: &str, description: &str) -> NodePool {
    NodePool {
        metadata: named(name),
        spec: NodePoolSpec {
            description: description.to_owned(),
            min_per_zone: 2,
            max_per_zone: Some(20),
            ..NodePoolSpec::default()
        },
        // As it will be found: nothing has to be written about a pool without nodes.
        status: NodePoolStatus {
            observed_generation: 1,
            ..NodePoolStatus::default()
        },
    }
}

fn named(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: name.to_owned(),
        ..ObjectMeta::default()
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use skep_api::{Resource, validate};
    use skep_state::{Entry, Verb};
    use skep_testkit::{namespace, start};

    use super::*;

    fn apply(state: &mut State, changes: Vec<Change>) {
        let stamped = changes.into_iter().map(|mut change| {
            if let Verb::Create(object) = &mut change.verb {
                let uid = format!("{}-{}", object.kind(), object.meta().name);
                object.meta_mut().uid = uid;
            }
            change
        });
        let entry = Entry {
            request_id: String::new(),
            sent: None,
            now: start(),
            changes: stamped.collect(),
        };
        assert!(state.apply(&entry).iter().all(Result::is_ok));
    }

    #[test]
    fn defaults_are_sound_and_as_the_tiers_are_written_down() {
        let mut state = State::default();
        let objects = missing_defaults(&state);
        for change in &objects {
            let Verb::Create(object) = &change.verb else {
                panic!("{change:?}")
            };
            assert_eq!(validate::object(object), [], "{}", object.meta().name);
        }
        apply(&mut state, objects);
        let told = state.list::<WorkloadTier>(None).map(|tier| {
            let spec = &tier.spec;
            let budget = spec.disruption_budget.clone().unwrap();
            format!(
                "{}: min {:?} max {:?}, {:?}, {} on {}, {}%\n",
                tier.metadata.name,
                budget.min_available,
                budget.max_unavailable,
                spec.spread
                    .as_ref()
                    .map(|spread| (&spread.topology_key, spread.when_unsatisfiable)),
                spec.priority_class_name,
                spec.node_pool,
                spec.requests_percent_of_limits.unwrap()
            )
        });
        expect![[r#"
            business-critical: min None max Some(Int(1)), Some(("kubernetes.io/hostname", ScheduleAnyway)), high-priority on general-pool, 70%
            mission-critical: min None max Some(Int(0)), Some(("topology.kubernetes.io/zone", DoNotSchedule)), system-cluster-critical on production-pool, 50%
            non-critical: min Some(Int(0)) max None, None, low-priority on spot-pool, 90%
        "#]]
        .assert_eq(&told.collect::<String>());
        assert_eq!(missing_defaults(&state), []);
    }

    #[test]
    fn what_was_deleted_stays_away_once_it_was_installed() {
        let mut state = State::default();
        let marked = namespace(SYSTEM_NAMESPACE)
            .annotation(DEFAULTS_ANNOTATION, "1")
            .build();
        apply(&mut state, vec![Change::create(marked)]);
        let missing = missing_defaults(&state);
        let names: Vec<_> = missing
            .iter()
            .filter_map(|change| match &change.verb {
                Verb::Create(object) => PriorityClass::from_object(object).map(|class| &class.metadata.name),
                _ => None,
            })
            .collect();
        assert_eq!(names, ["system-node-critical", "system-cluster-critical"]);
        assert_eq!(missing.len(), names.len());
    }
}
