//! What counts for a quota, and how much.

use crate::{
    Object, Pod, PodSpec, QosClass, Quantity, Resource, ResourceList, ResourceQuota,
    ResourceQuotaScope as Scope, ScopeSelectorOperator as Operator,
};

/// Resources of which each container must say how much, where a quota bounds them.
const COMPUTE: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

impl ResourceQuota {
    /// How much of what the quota bounds the object takes up; nothing where it does not count.
    pub fn usage_of(&self, object: &Object) -> ResourceList {
        let scoped = !self.spec.scopes.is_empty() || self.spec.scope_selector.is_some();
        let pod = Pod::from_object(object);
        if scoped && !pod.is_some_and(|pod| self.covers(pod)) {
            return ResourceList::new();
        }
        let (kind, one) = (object.kind(), Quantity::from_units(1));
        let counted = |name: &str| match name.strip_prefix("count/") {
            Some(kind_name) => kind_name == kind.qualified(),
            None => pod.is_none() && kind.group().is_empty() && name == kind.plural(),
        };
        let names = self.spec.hard.keys();
        let mut usage: ResourceList = names
            .filter(|name| counted(name))
            .map(|name| (name.clone(), one))
            .collect();
        if let Some(pod) = pod.filter(|pod| !pod.is_terminal()) {
            self.add_pod(pod, &mut usage);
        }
        usage
    }

    fn add_pod(&self, pod: &Pod, usage: &mut ResourceList) {
        let (requests, limits) = (pod.spec.requests(), pod.spec.limits());
        for name in self.spec.hard.keys() {
            let amount = if name == "pods" {
                Some(Quantity::from_units(1))
            } else if let Some(limited) = name.strip_prefix("limits.") {
                limits.get(limited).copied()
            } else {
                let requested = name.strip_prefix("requests.").unwrap_or(name);
                requests.get(requested).copied()
            };
            if let Some(amount) = amount {
                usage.insert(name.clone(), amount);
            }
        }
    }

    /// What the pod's containers must say and do not, as `cpu for: main`.
    pub fn unstated(&self, pod: &Pod) -> Vec<String> {
        if !self.covers(pod) {
            return Vec::new();
        }
        let bounded = self.spec.hard.keys().filter(|name| {
            let plain = name
                .strip_prefix("requests.")
                .or_else(|| name.strip_prefix("limits."));
            COMPUTE.contains(&plain.unwrap_or(name))
        });
        let missing = |name: &String| {
            let limited = name.strip_prefix("limits.");
            let resource = limited.unwrap_or_else(|| name.strip_prefix("requests.").unwrap_or(name));
            let whole = &pod.spec.resources;
            let states = |limits: &ResourceList, requests: &ResourceList| {
                limits.contains_key(resource) || (limited.is_none() && requests.contains_key(resource))
            };
            if states(&whole.limits, &whole.requests) {
                return None;
            }
            let silent = pod
                .spec
                .all_containers()
                .filter(|container| !states(&container.resources.limits, &container.resources.requests));
            let silent: Vec<&str> = silent.map(|container| container.name.as_str()).collect();
            (!silent.is_empty()).then(|| format!("{name} for: {}", silent.join(",")))
        };
        bounded.filter_map(missing).collect()
    }

    /// True where the pod is in all of the quota's scopes.
    pub fn covers(&self, pod: &Pod) -> bool {
        let selector = self
            .spec
            .scope_selector
            .iter()
            .flat_map(|selector| &selector.match_expressions);
        self.spec.scopes.iter().all(|scope| is_in(*scope, pod))
            && selector.into_iter().all(|requirement| {
                let class = &pod.spec.priority_class_name;
                match requirement.operator {
                    Operator::Exists => is_in(requirement.scope_name, pod),
                    Operator::DoesNotExist => !is_in(requirement.scope_name, pod),
                    Operator::In => requirement.values.contains(class),
                    Operator::NotIn => !requirement.values.contains(class),
                }
            })
    }
}

fn is_in(scope: Scope, pod: &Pod) -> bool {
    match scope {
        Scope::Terminating => pod.spec.active_deadline_seconds.is_some(),
        Scope::NotTerminating => pod.spec.active_deadline_seconds.is_none(),
        Scope::BestEffort => pod.spec.qos_class() == QosClass::BestEffort,
        Scope::NotBestEffort => pod.spec.qos_class() != QosClass::BestEffort,
        Scope::PriorityClass => !pod.spec.priority_class_name.is_empty(),
        Scope::CrossNamespacePodAffinity => crosses_namespaces(&pod.spec),
    }
}

fn crosses_namespaces(spec: &PodSpec) -> bool {
    let Some(affinity) = &spec.affinity else {
        return false;
    };
    let near = affinity.pod_affinity.iter().flat_map(|near| {
        let preferred = near.preferred_during_scheduling_ignored_during_execution.iter();
        near.required_during_scheduling_ignored_during_execution
            .iter()
            .chain(preferred.map(|weighted| &weighted.pod_affinity_term))
    });
    let away = affinity.pod_anti_affinity.iter().flat_map(|away| {
        let preferred = away.preferred_during_scheduling_ignored_during_execution.iter();
        away.required_during_scheduling_ignored_during_execution
            .iter()
            .chain(preferred.map(|weighted| &weighted.pod_affinity_term))
    });
    near.chain(away)
        .any(|term| !term.namespaces.is_empty() || term.namespace_selector.is_some())
}

impl PodSpec {
    /// What the pod may use at most: what is stated for it as a whole, or for each resource the sum over the containers and
    /// sidecars, or an init container's, with the sidecars before it, where that is more. Resources without limit are left out.
    pub fn limits(&self) -> ResourceList {
        let mut total = self.at_most(|container| container.resources.limits.clone());
        total.extend(self.resources.limits.clone());
        total
    }
}
