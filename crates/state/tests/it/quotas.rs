//! Quotas: counted and enforced where changes are applied, so that no race slips past them.

use skep_api::{
    Kind, ObjectKey, ObjectMeta, Pod, Quantity, ResourceQuota, ResourceQuotaScope, ResourceQuotaSpec,
};
use skep_state::{Change, Restore, State};
use skep_testkit::{config_map, pod, quantity};

use super::{Proposing, delete_in, entry, now, object, state};

fn quota(name: &str, hard: &[(&str, &str)]) -> ResourceQuota {
    ResourceQuota {
        metadata: ObjectMeta {
            name: name.to_owned(),
            namespace: "default".to_owned(),
            uid: format!("quota-{name}"),
            ..ObjectMeta::default()
        },
        spec: ResourceQuotaSpec {
            hard: hard
                .iter()
                .map(|(name, amount)| ((*name).to_owned(), quantity(amount)))
                .collect(),
            ..ResourceQuotaSpec::default()
        },
        ..ResourceQuota::default()
    }
}

fn used(state: &State, quota: &str, resource: &str) -> String {
    state.quota_used(&ObjectKey::new("default", quota))[resource].to_string()
}

#[test]
fn what_goes_beyond_is_refused_with_the_numbers_though_it_rides_in_one_entry() {
    let mut state = state();
    state.accepted(Change::create(quota("q", &[("cpu", "1"), ("pods", "10")])));
    let pods = ["a", "b", "c"].map(|name| Change::create(pod(name).cpu("400m")));
    let outcomes = state.apply(&entry(pods));
    let refused: Vec<String> = outcomes
        .iter()
        .filter_map(|o| o.as_ref().err())
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        refused,
        [
            "Pod default/c is forbidden: exceeded quota: q, requested: cpu=400m, used: cpu=800m, limited: cpu=1"
        ]
    );
    assert_eq!(used(&state, "q", "cpu"), "800m");
    assert_eq!(used(&state, "q", "pods"), "2");
}

#[test]
fn what_has_ended_or_gone_makes_room() {
    let mut state = state();
    state.accepted(Change::create(quota("q", &[("cpu", "1")])));
    state.accepted(Change::create(pod("a").cpu("1")));
    state.refused(Change::create(pod("b").cpu("1")));
    let ended = pod("a").cpu("1").succeeded().build();
    let mut a: Pod = now(&state, "a");
    a.status = ended.status;
    state.accepted(Change::update_status(a));
    state.accepted(Change::create(pod("b").cpu("1")));
    state.refused(Change::create(pod("c").cpu("1")));
    state.accepted(delete_in(&object(&state, Kind::Pod, "b"), 0));
    state.accepted(Change::create(pod("c").cpu("1")));
}

#[test]
fn a_quota_below_what_there_is_takes_nothing_away_and_lets_nothing_in() {
    let mut state = state();
    for name in ["a", "b"] {
        state.accepted(Change::create(pod(name).cpu("1")));
    }
    state.accepted(Change::create(quota("q", &[("cpu", "1")])));
    assert_eq!(used(&state, "q", "cpu"), "2");
    let refusal = state.refused(Change::create(pod("c").cpu("100m"))).to_string();
    assert!(
        refusal.contains("requested: cpu=100m, used: cpu=2, limited: cpu=1"),
        "{refusal}"
    );
}

#[test]
fn a_pod_that_says_nothing_of_what_is_bounded_is_asked_to() {
    let mut state = state();
    state.accepted(Change::create(quota(
        "q",
        &[("limits.memory", "1Gi"), ("requests.cpu", "1")],
    )));
    let refusal = state.refused(Change::create(pod("a"))).to_string();
    assert!(
        refusal.contains("failed quota: q: must specify limits.memory for: main; requests.cpu for: main"),
        "{refusal}"
    );
}

#[test]
fn objects_are_counted_by_kind_and_scopes_choose_pods() {
    let mut state = state();
    state.accepted(Change::create(quota(
        "maps",
        &[("count/configmaps", "1"), ("secrets", "0")],
    )));
    state.accepted(Change::create(config_map("one")));
    state.refused(Change::create(config_map("two")));
    let mut idle = quota("idle", &[("pods", "1")]);
    idle.spec.scopes = vec![ResourceQuotaScope::BestEffort];
    state.accepted(Change::create(idle));
    state.accepted(Change::create(pod("idle")));
    state.accepted(Change::create(pod("busy").cpu("1")));
    state.refused(Change::create(pod("idle-too")));
}

#[test]
fn counts_follow_from_the_objects_after_a_restore_as_before() {
    let mut state = state();
    state.accepted(Change::create(pod("a").cpu("1")));
    state.accepted(Change::create(quota("q", &[("cpu", "3")])));
    state.accepted(Change::create(pod("b").cpu("1500m")));
    let mut restore = Restore::default();
    for record in state.records() {
        restore.push(&record).unwrap();
    }
    let mut restored = restore.finish().unwrap();
    assert_eq!(used(&restored, "q", "cpu"), "2500m");
    restored.refused(Change::create(pod("c").cpu("1")));
    let mut wider: ResourceQuota = now(&restored, "q");
    wider.spec.hard.insert("cpu".to_owned(), Quantity::from_units(4));
    restored.accepted(Change::update(wider));
    restored.accepted(Change::create(pod("c").cpu("1")));
    assert_eq!(used(&restored, "q", "cpu"), "3500m");
}
