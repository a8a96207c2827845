//! What follows from a pod's fields: readiness, effective requests, quality of service, host ports.

use std::time::Duration;

use crate::{
    Condition, ConditionStatus, Container, ContainerPort, Pod, PodPhase, PodSpec, QosClass, Quantity,
    ResourceList, ResourceRequirements, Taint, Time, Toleration, TolerationOperator,
};

impl Pod {
    /// True where its condition Ready holds.
    pub fn is_ready(&self) -> bool {
        Condition::is_true(&self.status.conditions, "Ready")
    }

    /// True where its containers have ended for good: the phase is Succeeded or Failed.
    pub fn is_terminal(&self) -> bool {
        matches!(self.status.phase, PodPhase::Succeeded | PodPhase::Failed)
    }

    /// True where it has been ready for `min_ready_seconds` at `now`.
    pub fn is_available(&self, min_ready_seconds: i32, now: Time) -> bool {
        self.available_at(min_ready_seconds).is_some_and(|at| at <= now)
    }

    /// When it is available, if it stays ready; `None` while it is not ready.
    pub fn available_at(&self, min_ready_seconds: i32) -> Option<Time> {
        let ready = Condition::find(&self.status.conditions, "Ready")
            .filter(|condition| condition.status == ConditionStatus::True)?;
        let wait = Duration::from_secs(u64::try_from(min_ready_seconds).unwrap_or(0));
        Some(ready.last_transition_time.unwrap_or_default().plus(wait))
    }

    /// What is set aside for it on its node, as [`PodSpec::requests`].
    pub fn requests(&self) -> ResourceList {
        self.spec.requests()
    }
}

impl PodSpec {
    /// What is set aside on the node: what its containers need, or what the pod as a whole asks for where that is stated
    /// (a limit stands in for both), and the overhead on top.
    pub fn requests(&self) -> ResourceList {
        let mut total = self.container_requests();
        for (resource, limit) in &self.resources.limits {
            total.entry(resource.clone()).or_insert(*limit);
        }
        for (resource, amount) in &self.resources.requests {
            total.insert(resource.clone(), *amount);
        }
        for (resource, amount) in &self.overhead {
            *total.entry(resource.clone()).or_default() += *amount;
        }
        total
    }

    /// What the containers need: for each resource the sum over them and the sidecars, or what the neediest init container
    /// asks for, with the sidecars before it, where that is more. Limits stand in for requests that are not stated.
    pub fn container_requests(&self) -> ResourceList {
        self.at_most(|container| {
            container
                .requests()
                .map(|(name, amount)| (name.clone(), amount))
                .collect()
        })
    }

    /// Summed up over the containers that run at the same time, at the time when that is most.
    pub(crate) fn at_most(&self, of: impl Fn(&Container) -> ResourceList) -> ResourceList {
        let (mut lasting, mut most) = (ResourceList::new(), ResourceList::new());
        for container in &self.init_containers {
            let own = of(container);
            if container.is_sidecar() {
                add(&mut lasting, own);
                continue;
            }
            for (resource, amount) in own {
                let before = lasting.get(&resource).copied().unwrap_or_default();
                let peak = most.entry(resource).or_default();
                *peak = (*peak).max(amount + before);
            }
        }
        let mut total = lasting;
        for container in &self.containers {
            add(&mut total, of(container));
        }
        for (resource, peak) in most {
            let amount = total.entry(resource).or_default();
            *amount = (*amount).max(peak);
        }
        total
    }

    /// Its priority; 0 where none is stated.
    pub fn effective_priority(&self) -> i32 {
        self.priority.unwrap_or(0)
    }

    /// How much of its resources is guaranteed, by Kubernetes' rules: only cpu and memory count, and what is stated for the
    /// pod as a whole counts in place of what its containers say.
    pub fn qos_class(&self) -> QosClass {
        const COUNTED: [&str; 2] = ["cpu", "memory"];
        let mut any = false;
        let mut guaranteed = true;
        let stated: Vec<&ResourceRequirements> = if self.resources == ResourceRequirements::default() {
            let containers = self.all_containers();
            containers.map(|container| &container.resources).collect()
        } else {
            vec![&self.resources]
        };
        for resources in stated {
            for resource in COUNTED {
                let limit = resources.limits.get(resource).filter(|limit| !limit.is_zero());
                let request = resources.requests.get(resource).or(limit);
                let request = request.filter(|request| !request.is_zero());
                any |= limit.is_some() || request.is_some();
                guaranteed &= limit.is_some() && limit == request;
            }
        }
        match (any, guaranteed) {
            (false, _) => QosClass::BestEffort,
            (true, true) => QosClass::Guaranteed,
            (true, false) => QosClass::Burstable,
        }
    }

    /// The containers that last as long as the pod does: sidecars, then the others.
    pub fn lasting_containers(&self) -> impl Iterator<Item = &Container> {
        let sidecars = self
            .init_containers
            .iter()
            .filter(|container| container.is_sidecar());
        sidecars.chain(&self.containers)
    }

    /// Ports of the containers that take a port of the node.
    pub fn host_ports(&self) -> impl Iterator<Item = &ContainerPort> {
        self.lasting_containers()
            .flat_map(|container| &container.ports)
            .filter(|port| port.host_port != 0)
    }

    /// Init containers, then containers.
    pub fn all_containers(&self) -> impl Iterator<Item = &Container> {
        self.init_containers.iter().chain(&self.containers)
    }

    /// The init container or container of this name.
    pub fn container(&self, name: &str) -> Option<&Container> {
        self.all_containers().find(|container| container.name == name)
    }
}

fn add(sum: &mut ResourceList, amounts: ResourceList) {
    for (resource, amount) in amounts {
        *sum.entry(resource).or_default() += amount;
    }
}

impl Container {
    /// True for an init container that lasts as long as the pod does.
    pub fn is_sidecar(&self) -> bool {
        self.restart_policy.is_some()
    }

    /// What is set aside of one resource; the limit where no request is stated.
    pub fn request(&self, resource: &str) -> Option<Quantity> {
        self.resources
            .requests
            .get(resource)
            .or_else(|| self.resources.limits.get(resource))
            .copied()
    }

    /// What is set aside of each resource; limits stand in for requests that are not stated.
    pub fn requests(&self) -> impl Iterator<Item = (&String, Quantity)> {
        let requests = &self.resources.requests;
        let unstated = self
            .resources
            .limits
            .iter()
            .filter(|(resource, _)| !requests.contains_key(*resource));
        requests
            .iter()
            .chain(unstated)
            .map(|(resource, amount)| (resource, *amount))
    }
}

impl Toleration {
    /// True where the taint does not keep away a pod with this toleration.
    pub fn tolerates(&self, taint: &Taint) -> bool {
        self.effect.is_none_or(|effect| effect == taint.effect)
            && (self.key == taint.key || self.key.is_empty())
            && match self.operator {
                TolerationOperator::Exists => true,
                TolerationOperator::Equal => self.key == taint.key && self.value == taint.value,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TaintEffect;

    fn list(amounts: &[(&str, &str)]) -> ResourceList {
        amounts
            .iter()
            .map(|(name, amount)| ((*name).to_owned(), amount.parse().unwrap()))
            .collect()
    }

    fn container(requests: &[(&str, &str)], limits: &[(&str, &str)]) -> Container {
        let resources = ResourceRequirements {
            requests: list(requests),
            limits: list(limits),
        };
        Container {
            resources,
            ..Container::default()
        }
    }

    fn pod(init_containers: Vec<Container>, containers: Vec<Container>) -> PodSpec {
        PodSpec {
            init_containers,
            containers,
            ..PodSpec::default()
        }
    }

    #[test]
    fn requests_are_the_sum_or_the_neediest_init_container() {
        let spec = pod(
            vec![
                container(&[("cpu", "2"), ("memory", "64Mi")], &[]),
                container(&[("cpu", "1")], &[]),
            ],
            vec![
                container(&[("cpu", "250m"), ("memory", "128Mi")], &[]),
                container(&[], &[("cpu", "1")]),
            ],
        );
        assert_eq!(spec.requests(), list(&[("cpu", "2"), ("memory", "128Mi")]));
    }

    #[test]
    fn sidecars_count_with_what_runs_beside_them() {
        let sidecar = |cpu: &str| Container {
            restart_policy: Some(crate::ContainerRestartPolicy::Always),
            ..container(&[("cpu", cpu)], &[("memory", "64Mi")])
        };
        // As in Kubernetes: an init container runs beside the sidecars before it, the others beside all of them.
        let init = |cpu: &str| container(&[("cpu", cpu)], &[]);
        let main = container(&[("cpu", "500m")], &[]);
        let spec = pod(
            vec![sidecar("100m"), init("2"), sidecar("200m")],
            vec![main.clone()],
        );
        assert_eq!(spec.requests(), list(&[("cpu", "2100m"), ("memory", "128Mi")]));
        assert_eq!(spec.limits(), list(&[("memory", "128Mi")]));
        let spec = pod(vec![init("300m"), sidecar("100m"), sidecar("200m")], vec![main]);
        assert_eq!(spec.requests(), list(&[("cpu", "800m"), ("memory", "128Mi")]));
    }

    #[test]
    fn pod_as_a_whole_may_ask_for_more_and_overhead_comes_on_top() {
        let mut spec = pod(
            vec![],
            vec![container(&[("cpu", "250m"), ("memory", "128Mi")], &[])],
        );
        spec.resources = container(&[("cpu", "1")], &[("cpu", "2"), ("memory", "1Gi")]).resources;
        spec.overhead = list(&[("cpu", "50m"), ("memory", "32Mi")]);
        assert_eq!(spec.requests(), list(&[("cpu", "1050m"), ("memory", "160Mi")]));
        assert_eq!(spec.qos_class(), QosClass::Burstable);
        spec.resources = container(&[], &[("cpu", "2"), ("memory", "1Gi")]).resources;
        assert_eq!(spec.qos_class(), QosClass::Guaranteed);
    }

    #[test]
    fn quality_of_service_follows_requests_and_limits() {
        let full = container(&[], &[("cpu", "1"), ("memory", "1Gi")]);
        assert_eq!(
            pod(vec![], vec![container(&[], &[])]).qos_class(),
            QosClass::BestEffort
        );
        assert_eq!(pod(vec![], vec![full.clone()]).qos_class(), QosClass::Guaranteed);
        assert_eq!(
            pod(vec![], vec![full.clone(), container(&[], &[])]).qos_class(),
            QosClass::Burstable
        );
        let less = container(&[("cpu", "500m")], &[("cpu", "1"), ("memory", "1Gi")]);
        assert_eq!(pod(vec![full], vec![less]).qos_class(), QosClass::Burstable);
    }

    #[test]
    fn pod_is_available_once_it_was_ready_long_enough() {
        let mut pod = Pod::default();
        assert!(!pod.is_available(0, Time::from_secs(100)));
        let at = Some(Time::from_secs(100));
        let ready = Condition {
            last_transition_time: at,
            ..Condition::new("Ready", ConditionStatus::True, "", "")
        };
        Condition::set(&mut pod.status.conditions, ready);
        assert!(pod.is_available(0, Time::from_secs(100)));
        assert!(!pod.is_available(10, Time::from_secs(109)));
        assert!(pod.is_available(10, Time::from_secs(110)));
    }

    #[test]
    fn toleration_without_key_tolerates_every_taint() {
        let taint = Taint {
            key: "gpu".into(),
            value: "yes".into(),
            effect: TaintEffect::NoExecute,
            time_added: None,
        };
        let exists = Toleration {
            operator: TolerationOperator::Exists,
            ..Toleration::default()
        };
        assert!(exists.tolerates(&taint));
        assert!(!Toleration::default().tolerates(&taint));
        let equal = Toleration {
            key: "gpu".into(),
            value: "yes".into(),
            ..Toleration::default()
        };
        assert!(equal.tolerates(&taint));
        assert!(
            !Toleration {
                value: "no".into(),
                ..equal.clone()
            }
            .tolerates(&taint)
        );
        assert!(
            !Toleration {
                effect: Some(TaintEffect::NoSchedule),
                ..equal
            }
            .tolerates(&taint)
        );
    }
}
