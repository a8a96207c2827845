//! Whatever the size, the bounds and who falls behind: a rollout never has too many pods, and never too few that are available.

use proptest::prelude::*;
use skep_api::{Deployment, IntOrString, Pod};
use skep_state::State;
use skep_testkit::deployment;

use crate::sim::Sim;

fn bound() -> impl Strategy<Value = IntOrString> {
    prop_oneof![
        (0..6_i32).prop_map(IntOrString::from),
        (0..=100_u8).prop_map(|percent| IntOrString::from(format!("{percent}%").as_str())),
    ]
}

/// Pods that have not ended and are not going away: all, and the available ones.
fn active(state: &State) -> (i64, i64) {
    let pods = state
        .list::<Pod>(None)
        .filter(|pod| !pod.metadata.is_deleting() && !pod.is_terminal());
    let (mut all, mut available) = (0, 0);
    for pod in pods {
        all += 1;
        available += i64::from(pod.is_ready());
    }
    (all, available)
}

/// The bounds as the documentation of the fields says, found anew.
fn limits(replicas: i32, surge: &IntOrString, unavailable: &IntOrString) -> (i64, i64) {
    let size = f64::from(replicas);
    let value = |bound: &IntOrString, round: fn(f64) -> f64| match bound {
        IntOrString::Int(count) => f64::from(*count),
        IntOrString::String(text) => round(size * text.trim_end_matches('%').parse::<f64>().unwrap() / 100.0),
    };
    let (surge, unavailable) = (value(surge, f64::ceil), value(unavailable, f64::floor));
    let unavailable = if surge == 0.0 && unavailable == 0.0 {
        1.0
    } else {
        unavailable
    };
    #[expect(clippy::cast_possible_truncation, reason = "small whole numbers")]
    let limits = ((size + surge) as i64, (size - unavailable) as i64);
    limits
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn rollout_stays_within_its_bounds(
        replicas in 0..14_i32,
        surge in bound(),
        unavailable in bound(),
        lag in any::<u64>(),
    ) {
        let mut sim = Sim::new();
        let web = deployment("web", replicas).image("v1").rolling(surge.clone(), unavailable.clone());
        sim.create(web);
        sim.advance(10);
        sim.lag = lag;
        let (total_max, available_min) = limits(replicas, &surge, &unavailable);
        sim.invariant = Some(Box::new(move |state| {
            let (all, available) = active(state);
            assert!(all <= total_max, "{all} pods, at most {total_max} are allowed");
            assert!(available >= available_min, "{available} are available, {available_min} must be");
        }));
        for image in ["v2", "unready:3", "v4"] {
            sim.edit::<Deployment>("web", |web| {
                web.spec.template.spec.containers[0].image = image.to_owned();
            });
            sim.advance(7);
        }
        sim.lag = 0;
        // Long enough for one pod after the other.
        sim.advance(20 + 4 * u64::from(replicas.unsigned_abs()));
        let status = sim.get::<Deployment>("web").status;
        prop_assert_eq!((status.updated_replicas, status.available_replicas), (replicas, replicas));
        prop_assert_eq!(status.replicas, replicas);
    }
}
