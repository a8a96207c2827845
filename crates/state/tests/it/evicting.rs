//! Evictions, and the disruption budgets that allow them or not.

use skep_api::{
    Condition, IntOrString, LabelSelector, ObjectKey, ObjectMeta, Pod, PodDisruptionBudget,
    PodDisruptionBudgetSpec, PodDisruptionBudgetStatus, UnhealthyPodEvictionPolicy,
};
use skep_state::{Change, DeleteOptions, Refusal, State, Verb};
use skep_testkit::{PodBuilder, pod, start};

use super::{Proposing, entry, now, state};

fn budget(allowed: i32) -> PodDisruptionBudget {
    let selector = LabelSelector {
        match_labels: [("app".to_owned(), "web".to_owned())].into(),
        ..LabelSelector::default()
    };
    PodDisruptionBudget {
        metadata: ObjectMeta {
            name: "web".to_owned(),
            namespace: "default".to_owned(),
            uid: "budget-web".to_owned(),
            ..ObjectMeta::default()
        },
        spec: PodDisruptionBudgetSpec {
            min_available: Some(IntOrString::Int(2)),
            selector: Some(selector),
            ..PodDisruptionBudgetSpec::default()
        },
        status: PodDisruptionBudgetStatus {
            observed_generation: 1,
            disruptions_allowed: allowed,
            current_healthy: 2 + allowed,
            desired_healthy: 2,
            expected_pods: 3,
            ..PodDisruptionBudgetStatus::default()
        },
    }
}

fn web(name: &str) -> PodBuilder {
    pod(name).label("app", "web").node("n1")
}

fn evict(name: &str) -> Change {
    Change::new(Verb::Evict {
        pod: ObjectKey::new("default", name),
        options: DeleteOptions::default(),
    })
}

fn with(budget: PodDisruptionBudget, pods: Vec<PodBuilder>) -> State {
    let mut state = state();
    let status = budget.status.clone();
    state.accepted(Change::create(budget));
    let mut stored: PodDisruptionBudget = now(&state, "web");
    stored.status = status;
    state.accepted(Change::update_status(stored));
    for pod in pods {
        state.accepted(Change::create(pod));
    }
    state
}

#[test]
fn two_evictions_in_one_entry_share_one_budget() {
    let mut state = with(
        budget(1),
        vec![web("a").ready(), web("b").ready(), web("c").ready()],
    );
    let outcomes = state.apply(&entry([evict("a"), evict("b")]));
    assert!(outcomes[0].is_ok());
    let refusal = outcomes[1].as_ref().unwrap_err();
    assert!(matches!(refusal, Refusal::Disruption { .. }));
    assert!(
        refusal
            .to_string()
            .ends_with("the budget web needs 2 healthy pods and has 3 currently"),
        "{refusal}"
    );
    let status = now::<PodDisruptionBudget>(&state, "web").status;
    assert_eq!(status.disruptions_allowed, 0);
    assert_eq!(status.disrupted_pods.get("a"), Some(&start()));
    let evicted: Pod = now(&state, "a");
    assert!(evicted.metadata.is_deleting());
    let condition = Condition::find(&evicted.status.conditions, "DisruptionTarget").unwrap();
    assert_eq!(condition.reason, "EvictionByEvictionAPI");
    assert!(!now::<Pod>(&state, "b").metadata.is_deleting());
}

#[test]
fn pods_that_never_ran_or_are_going_anyway_cost_nothing() {
    let mut state = with(
        budget(0),
        vec![web("new"), web("done").succeeded(), web("up").ready()],
    );
    state.accepted(evict("new"));
    state.accepted(evict("done"));
    state.refused(evict("up"));
}

#[test]
fn pods_that_run_and_are_not_ready_go_as_the_policy_says() {
    let mut state = with(budget(0), vec![web("ill").running()]);
    state.accepted(evict("ill"));
    let mut short = budget(0);
    short.status.current_healthy = 1;
    let mut state = with(short.clone(), vec![web("ill").running()]);
    state.refused(evict("ill"));
    short.spec.unhealthy_pod_eviction_policy = Some(UnhealthyPodEvictionPolicy::AlwaysAllow);
    let mut state = with(short, vec![web("ill").running()]);
    state.accepted(evict("ill"));
}

#[test]
fn a_budget_that_was_just_changed_allows_nothing_yet() {
    let mut state = with(budget(3), vec![web("a").ready()]);
    let mut changed: PodDisruptionBudget = now(&state, "web");
    changed.spec.min_available = Some(IntOrString::Int(9));
    state.accepted(Change::update(changed));
    let refusal = state.refused(evict("a")).to_string();
    assert!(refusal.contains("is still being processed"), "{refusal}");
}

#[test]
fn all_changes_of_one_go_through_or_none() {
    let mut state = state();
    let both = |second: &str| {
        Change::new(Verb::All(vec![
            Change::create(pod("a")),
            Change::create(pod(second)),
        ]))
    };
    let refusal = state.refused(both("a"));
    assert!(matches!(refusal, Refusal::AlreadyExists { .. }), "{refusal}");
    let applied = state.accepted(both("b"));
    assert_eq!(applied.object.meta().name, "b");
    assert_eq!(state.list::<Pod>(None).count(), 2);
}
