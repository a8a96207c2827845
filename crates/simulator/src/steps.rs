//! What a scenario makes happen.

use std::sync::Arc;

use rand::seq::IndexedRandom;
use skep_api::{Deployment, FieldError, Kind, Namespace, Node, Object, ObjectKey, Pod, ReplicaSet, Resource};
use skep_controllers::{admission, missing_defaults};
use skep_state::{Change, DeleteOptions};

use crate::{
    NodeGroup, ScenarioError, Simulation,
    admit::admit,
    agents,
    scenario::{Named, Nodes, Scale, Step},
};

type Taken = Result<(), String>;

/// What every cluster has from the beginning: its namespaces, the tiers and their priority classes.
pub(crate) fn furnish(simulation: &mut Simulation) {
    let namespaces = ["default", "kube-system"].map(|name| {
        let mut namespace = Namespace::default();
        namespace.metadata.name = name.to_owned();
        Change::create(namespace)
    });
    simulation.write(namespaces.into());
    let defaults = missing_defaults(&simulation.state);
    simulation.write(defaults);
}

/// Carries out a step of the scenario.
pub(crate) fn take(simulation: &mut Simulation, index: usize) -> Result<(), ScenarioError> {
    let step = simulation.scenario.steps[index].clone();
    carry_out(simulation, step).map_err(|why| ScenarioError::at(format!("steps[{index}]"), why))
}

fn carry_out(simulation: &mut Simulation, step: Step) -> Taken {
    for document in step.apply.into_iter().flatten() {
        let object = admit(document, "apply").map_err(|error| error.to_string())?;
        apply(simulation, object)?;
    }
    if let Some(wanted) = step.scale {
        scale(simulation, &wanted)?;
    }
    for named in step.delete.iter().flatten() {
        delete(simulation, named)?;
    }
    if let Some(group) = step.join {
        join(simulation, &group)?;
    }
    if let Some(nodes) = step.fail {
        for name in chosen(simulation, &nodes)? {
            simulation.agents.silence(&name);
        }
    }
    if let Some(nodes) = step.recover {
        for name in chosen(simulation, &nodes)? {
            recover(simulation, &name);
        }
    }
    for (nodes, cordoned) in [(step.cordon, true), (step.uncordon, false)] {
        let Some(nodes) = nodes else { continue };
        for name in chosen(simulation, &nodes)? {
            cordon(simulation, &name, cordoned)?;
        }
    }
    if let Some(nodes) = step.remove {
        for name in chosen(simulation, &nodes)? {
            simulation.agents.remove(&name);
            delete(
                simulation,
                &Named {
                    kind: Kind::Node,
                    key: ObjectKey::cluster(&name),
                },
            )?;
        }
    }
    Ok(())
}

/// Nodes join.
pub(crate) fn join(simulation: &mut Simulation, group: &NodeGroup) -> Taken {
    let now = simulation.wall();
    for node in agents::nodes(group, now) {
        let name = agents::name_of(&node).to_owned();
        write(simulation, Change::create(node))?;
        simulation.agents.begin(&name, now);
    }
    Ok(())
}

/// Makes an object as the document describes it: new, or with another desired state. A node's agent begins with it.
pub(crate) fn apply(simulation: &mut Simulation, mut object: Object) -> Taken {
    let key = object.key();
    if let Object::Node(node) = &mut object {
        node.status.capacity.extend(node.status.allocatable.clone());
        simulation.agents.begin(&key.name, simulation.wall());
    }
    ensure_namespace(simulation, &key)?;
    let change = match simulation.state.object(object.kind(), &key) {
        None => {
            admission::object(&simulation.state, &mut object).map_err(|causes| told(&causes))?;
            // What was read from a cluster is made anew.
            let meta = object.meta_mut();
            (meta.uid, meta.resource_version) = Default::default();
            Change::create(object)
        }
        Some(live) => {
            if let (Object::Node(live), Object::Node(wanted)) = (&**live, &mut object) {
                wanted.spec.pod_cidr.clone_from(&live.spec.pod_cidr);
                wanted.spec.pod_cidrs.clone_from(&live.spec.pod_cidrs);
            }
            let meta = live.meta().clone();
            let wanted = object.meta_mut();
            wanted.uid = meta.uid;
            wanted.resource_version = meta.resource_version;
            wanted.creation_timestamp = meta.creation_timestamp;
            Change::update(object)
        }
    };
    write(simulation, change)
}

fn told(causes: &[FieldError]) -> String {
    let causes: Vec<String> = causes.iter().map(ToString::to_string).collect();
    causes.join("; ")
}

/// A scenario need not spell out its namespaces.
fn ensure_namespace(simulation: &mut Simulation, key: &ObjectKey) -> Taken {
    let name = ObjectKey::cluster(&key.namespace);
    if key.namespace.is_empty() || simulation.state.get::<Namespace>(&name).is_some() {
        return Ok(());
    }
    let mut namespace = Namespace::default();
    namespace.metadata.name.clone_from(&key.namespace);
    write(simulation, Change::create(namespace))
}

fn scale(simulation: &mut Simulation, wanted: &Scale) -> Taken {
    let Named { kind, key } = &wanted.target;
    let change = match kind {
        Kind::Deployment => simulation.state.get::<Deployment>(key).map(|live| {
            let mut object = live.clone();
            object.spec.replicas = wanted.replicas;
            Change::update(object)
        }),
        Kind::ReplicaSet => simulation.state.get::<ReplicaSet>(key).map(|live| {
            let mut object = live.clone();
            object.spec.replicas = wanted.replicas;
            Change::update(object)
        }),
        other => {
            return Err(format!(
                "a {other} has no replicas: scale a deployment or a replicaset"
            ));
        }
    };
    write(simulation, change.ok_or_else(|| missing(&wanted.target))?)
}

fn delete(simulation: &mut Simulation, named: &Named) -> Taken {
    let live = simulation
        .state
        .object(named.kind, &named.key)
        .map(Arc::clone)
        .ok_or_else(|| missing(named))?;
    write(simulation, Change::delete(&live, DeleteOptions::default()))
}

fn missing(named: &Named) -> String {
    format!("there is no {} {} at that time", named.kind, named.key)
}

fn recover(simulation: &mut Simulation, name: &str) {
    let now = simulation.wall();
    simulation.agents.begin(name, now);
    let healthy = simulation
        .state
        .get::<Node>(&ObjectKey::cluster(name))
        .and_then(|node| agents::healthy(node, now));
    simulation.write(healthy.into_iter().collect());
    let state = simulation.state.clone();
    for pod in state.pods_on(name).collect::<Vec<&Pod>>() {
        simulation.attend(pod);
    }
}

fn cordon(simulation: &mut Simulation, name: &str, cordoned: bool) -> Taken {
    let key = ObjectKey::cluster(name);
    let node = simulation.state.get::<Node>(&key);
    let mut node = node.cloned().ok_or_else(|| format!("there is no node {name}"))?;
    node.spec.unschedulable = cordoned;
    write(simulation, Change::update(node))
}

fn write(simulation: &mut Simulation, change: Change) -> Taken {
    let outcomes = simulation.write(vec![change]);
    for outcome in outcomes {
        outcome.map_err(|refusal| refusal.to_string())?;
    }
    Ok(())
}

/// The names of the nodes that are meant.
fn chosen(simulation: &mut Simulation, nodes: &Nodes) -> Result<Vec<String>, String> {
    let state = simulation.state.clone();
    for name in &nodes.names {
        if state.get::<Node>(&ObjectKey::cluster(name)).is_none() {
            return Err(format!("there is no node {name} at that time"));
        }
    }
    let meant = |node: &&Node| {
        let named = nodes.names.is_empty() || nodes.names.contains(&node.metadata.name);
        let labels = &node.metadata.labels;
        named
            && nodes
                .labels
                .iter()
                .all(|(key, value)| labels.get(key) == Some(value))
    };
    let all: Vec<String> = state
        .list::<Node>(None)
        .filter(meant)
        .map(|node| node.meta().name.clone())
        .collect();
    if all.is_empty() {
        return Err("no node is meant by that: check names and labels".to_owned());
    }
    Ok(match nodes.any {
        Some(count) => all.sample(&mut simulation.chance, count).cloned().collect(),
        None => all,
    })
}
