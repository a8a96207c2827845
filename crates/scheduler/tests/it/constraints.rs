//! Whatever the pods ask for: placements are feasible and refusals are right by the slow, obvious check; preemption frees
//! enough, only by pods of lower priority, and where that costs least; the best node is taken; groups and order of facts make
//! no difference.

use std::cmp::Reverse;

use proptest::prelude::*;
use skep_api::{Pod, PreemptionPolicy};
use skep_scheduler::{Explanation, Outcome, Scheduler};

use crate::{
    choices::{Choices, choices},
    cluster::told,
    reference::{World, priority},
};

fn scheduler(world: &World) -> Scheduler {
    let mut scheduler = Scheduler::new();
    for (name, labels) in &world.namespaces {
        scheduler.namespace(name, labels);
    }
    world.nodes.iter().for_each(|node| scheduler.node(node));
    world.placed.iter().for_each(|pod| scheduler.pod(pod));
    world.budgets.iter().for_each(|budget| scheduler.budget(budget));
    scheduler
}

/// Pods as the scheduler takes them: higher priority first.
fn in_order(pods: &[Pod]) -> Vec<&Pod> {
    let mut order: Vec<&Pod> = pods.iter().collect();
    order.sort_by_key(|pod| std::cmp::Reverse(priority(pod)));
    order
}

/// Holds one decision against the world, and brings the world up to date.
fn judge(
    world: &mut World,
    leaving: &mut Vec<String>,
    pod: &Pod,
    outcome: &Outcome,
) -> Result<(), TestCaseError> {
    let name = &pod.metadata.name;
    if !pod.spec.scheduling_gates.is_empty() {
        let why = outcome.explanation();
        prop_assert!(why.is_some_and(Explanation::is_gated), "{name} is gated");
        return Ok(());
    }
    match outcome {
        Outcome::Bind { node } => {
            prop_assert!(world.fits(pod, world.node(node)), "{name} on {node}");
            let mut placed = pod.clone();
            placed.spec.node_name.clone_from(node);
            placed.metadata.creation_timestamp = None;
            world.placed.push(placed);
        }
        Outcome::Wait(why) => {
            for node in &world.nodes {
                prop_assert!(
                    !world.fits(pod, node),
                    "{name} fits {}: {why}",
                    node.metadata.name
                );
                let lower = world.placed.iter().any(|other| {
                    other.spec.node_name == node.metadata.name && priority(other) < priority(pod)
                });
                let may = pod.spec.preemption_policy != Some(PreemptionPolicy::Never) && lower;
                let helps = may && world.without_lower(pod, node).fits(pod, node);
                prop_assert!(!helps, "{name} could make room on {}: {why}", node.metadata.name);
            }
        }
        Outcome::Preempt { node, victims, why } => {
            for node in &world.nodes {
                prop_assert!(
                    !world.fits(pod, node),
                    "{name} fits {}: {why}",
                    node.metadata.name
                );
            }
            prop_assert!(pod.spec.preemption_policy != Some(PreemptionPolicy::Never));
            judge_cost(world, leaving, pod, node, victims)?;
            judge_victims(world, leaving, pod, node, victims)?;
            victims.iter().for_each(|victim| world.spend(&victim.uid));
            world.nominated.push((pod.clone(), node.clone()));
        }
    }
    Ok(())
}

/// Room is made where it costs least, and those go who have to, by the slow way.
fn judge_cost(
    world: &World,
    leaving: &[String],
    pod: &Pod,
    chosen: &str,
    victims: &[skep_scheduler::Victim],
) -> Result<(), TestCaseError> {
    let costs = world.nodes.iter().filter_map(|node| {
        let (cost, going) = world.room_made(pod, node, leaving)?;
        Some((cost, node.metadata.name.as_str(), going))
    });
    let (cost, node, mut going) = costs.min().expect("room can be made");
    prop_assert_eq!(chosen, node, "{:?} is the least cost", cost);
    let mut named: Vec<String> = victims.iter().map(|victim| victim.uid.clone()).collect();
    named.sort();
    going.sort();
    prop_assert_eq!(&named, &going);
    let violating = victims.iter().filter(|victim| victim.violates_budget).count();
    prop_assert_eq!(violating, cost.0);
    Ok(())
}

fn judge_victims(
    world: &World,
    leaving: &mut Vec<String>,
    pod: &Pod,
    node: &str,
    victims: &[skep_scheduler::Victim],
) -> Result<(), TestCaseError> {
    for victim in victims {
        let found = world.placed.iter().find(|other| other.metadata.uid == victim.uid);
        let found = found.expect("a victim is placed");
        prop_assert!(priority(found) < priority(pod) && victim.priority == priority(found));
        prop_assert_eq!(&found.spec.node_name, node);
        prop_assert!(!leaving.contains(&victim.uid), "it is leaving already");
        leaving.push(victim.uid.clone());
    }
    let gone = |other: &Pod| {
        let going = other.metadata.is_deleting() || leaving.contains(&other.metadata.uid);
        other.spec.node_name == node && going && priority(other) < priority(pod)
    };
    let mut without = world.clone();
    without.placed.retain(|other| !gone(other));
    let fits = without.fits(pod, world.node(node));
    prop_assert!(
        fits,
        "{} does not fit on {node} without {victims:?}",
        pod.metadata.name
    );
    // None of them is sent away for nothing.
    for victim in victims {
        let mut with = without.clone();
        with.placed.extend(
            world
                .placed
                .iter()
                .filter(|other| other.metadata.uid == victim.uid)
                .cloned(),
        );
        prop_assert!(!with.fits(pod, world.node(node)), "{} may stay", victim.key);
    }
    Ok(())
}

fn lines(scheduler: &mut Scheduler, pods: &[&Pod]) -> String {
    told(&scheduler.schedule(pods))
}

/// Facts come and go, in any order and more than once, and end up as they are in `world`.
fn wander(choices: &mut Choices, world: &World) -> Scheduler {
    let mut scheduler = Scheduler::new();
    let (others, strangers) = (choices.world(), choices.pods("stranger", 6));
    others.nodes.iter().for_each(|node| scheduler.node(node));
    others.placed.iter().for_each(|pod| scheduler.pod(pod));
    scheduler.schedule(&strangers.iter().collect::<Vec<_>>());
    for round in 0..3 {
        for pod in world.placed.iter().filter(|_| choices.once_in(2) || round == 2) {
            scheduler.pod(pod);
        }
        for (name, labels) in world
            .namespaces
            .iter()
            .filter(|_| choices.once_in(2) || round == 2)
        {
            scheduler.namespace(name, labels);
        }
        for node in &others.nodes {
            if choices.once_in(3) {
                scheduler.remove_node(&node.metadata.name);
            }
        }
        for node in world.nodes.iter().filter(|_| choices.once_in(2) || round == 2) {
            scheduler.node(node);
        }
        if round == 1 {
            others
                .placed
                .iter()
                .chain(&strangers)
                .for_each(|pod| scheduler.remove_pod(&pod.metadata.uid));
        }
    }
    world.budgets.iter().for_each(|budget| scheduler.budget(budget));
    let kept = |name: &str| world.nodes.iter().any(|node| node.metadata.name == name);
    let gone = others.nodes.iter().filter(|node| !kept(&node.metadata.name));
    gone.for_each(|node| scheduler.remove_node(&node.metadata.name));
    scheduler
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn decisions_are_right_by_the_obvious_check(mut choices in choices()) {
        let mut world = choices.world();
        let pending = choices.pods("new", 12);
        let mut leaving = Vec::new();
        let ordered = in_order(&pending);
        for (pod, decision) in ordered.iter().zip(scheduler(&world).schedule(&ordered)) {
            judge(&mut world, &mut leaving, pod, &decision.outcome)?;
        }
    }

    #[test]
    fn the_node_with_the_best_marks_is_taken_and_of_equals_the_first(mut choices in choices()) {
        let (world, pending) = (choices.world(), choices.pods("new", 10));
        let ordered = in_order(&pending);
        let mut alone = scheduler(&world);
        for (pod, decision) in ordered.iter().zip(scheduler(&world).schedule(&ordered)) {
            let marks = world.nodes.iter().filter_map(|node| {
                let name = node.metadata.name.as_str();
                Some((alone.score_of(pod, name)?, Reverse(name)))
            });
            let best = marks.max().map(|(_, Reverse(name))| name);
            let gated = !pod.spec.scheduling_gates.is_empty();
            prop_assert_eq!(decision.outcome.bound_to(), best.filter(|_| !gated), "{}", pod.metadata.name);
            alone.schedule(&[pod]);
        }
    }

    #[test]
    fn batch_is_decided_as_if_one_by_one_under_all_constraints(mut choices in choices()) {
        let (world, pending) = (choices.world(), choices.pods("new", 14));
        let ordered = in_order(&pending);
        let mut alone = scheduler(&world);
        let one_by_one: String = ordered.iter().map(|pod| lines(&mut alone, &[pod])).collect();
        prop_assert_eq!(lines(&mut scheduler(&world), &ordered), one_by_one);
    }

    #[test]
    fn tables_that_were_changed_are_as_good_as_new_ones(mut choices in choices()) {
        let (world, pending) = (choices.world(), choices.pods("new", 10));
        let ordered = in_order(&pending);
        let mut wandered = wander(&mut choices, &world);
        prop_assert_eq!(lines(&mut wandered, &ordered), lines(&mut scheduler(&world), &ordered));
    }

    #[test]
    fn trying_and_asking_change_nothing(mut choices in choices()) {
        let (world, pending) = (choices.world(), choices.pods("new", 8));
        let ordered = in_order(&pending);
        let mut asked = scheduler(&world);
        asked.what_if(&ordered);
        for pod in world.placed.iter().chain(&pending) {
            for node in &world.nodes {
                asked.check(pod, &node.metadata.name).ok();
                asked.score_of(pod, &node.metadata.name);
            }
        }
        prop_assert_eq!(lines(&mut asked, &ordered), lines(&mut scheduler(&world), &ordered));
    }
}
