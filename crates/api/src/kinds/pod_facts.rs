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

    /// What the containers need: for each resource the sum over them, or what the neediest init container asks for where
    /// that is more. Limits stand in for requests that are not stated.
    pub fn container_requests(&self) -> ResourceList {
        let mut total = ResourceList::new();
        for container in &self.containers {
            for (resource, amount) in container.requests() {
                *total.entry(resource.clone()).or_default() += amount;
            }
        }
        for container in &self.init_containers {
            for (resource, amount) in container.requests() {
                let most = total.entry(resource.clone()).or_default();
                *most = (*most).max(amount);
            }
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

    /// Ports of the containers that take a port of the node.
    pub fn host_ports(&self) -> impl Iterator<Item = &ContainerPort> {
        self.containers
            .iter()
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

impl Container {
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
