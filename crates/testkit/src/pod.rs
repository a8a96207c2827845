//! Pods.

use skep_api::{
    Condition, ConditionStatus, Container, ContainerPort, ContainerState, ContainerStateRunning,
    ContainerStateTerminated, ContainerStateWaiting, ContainerStatus, Pod, PodPhase, PodSpec, PodStatus,
    Protocol, RestartPolicy, TaintEffect, Time, Toleration, TolerationOperator,
};

use crate::meta::{builder, meta};

/// Builds a [`Pod`]: one container `main`, no requests, bound nowhere, pending.
#[derive(Clone, Debug)]
pub struct PodBuilder(pub(crate) Pod);

builder!(PodBuilder, Pod);

/// A pod of this name in the namespace `default`.
pub fn pod(name: &str) -> PodBuilder {
    PodBuilder(Pod {
        metadata: meta("default", name),
        spec: pod_spec().into(),
        status: PodStatus::default(),
    })
}

/// What a pod with one plain container looks like after admission.
pub(crate) fn pod_spec() -> PodSpec {
    PodSpec {
        containers: vec![container("main")],
        ..PodSpec::default()
    }
}

fn container(name: &str) -> Container {
    Container {
        name: name.to_owned(),
        image: "busybox:1".to_owned(),
        ..Container::default()
    }
}

impl PodBuilder {
    /// Requests CPU for the first container.
    #[must_use]
    pub fn cpu(self, amount: &str) -> Self {
        self.request("cpu", amount)
    }

    /// Requests memory for the first container.
    #[must_use]
    pub fn memory(self, amount: &str) -> Self {
        self.request("memory", amount)
    }

    /// Requests any resource for the first container.
    #[must_use]
    pub fn request(mut self, resource: &str, amount: &str) -> Self {
        let requests = &mut self.0.spec.containers[0].resources.requests;
        requests.insert(resource.to_owned(), crate::quantity(amount));
        self
    }

    /// Sets the first container's image.
    #[must_use]
    pub fn image(mut self, image: &str) -> Self {
        self.0.spec.containers[0].image = image.to_owned();
        self
    }

    /// Adds another container that requests this much CPU.
    #[must_use]
    pub fn sidecar(mut self, name: &str, cpu: &str) -> Self {
        let mut sidecar = container(name);
        sidecar
            .resources
            .requests
            .insert("cpu".to_owned(), crate::quantity(cpu));
        self.0.spec.containers.push(sidecar);
        self
    }

    /// Adds an init container that requests this much CPU.
    #[must_use]
    pub fn init(mut self, name: &str, cpu: &str) -> Self {
        let mut init = container(name);
        init.resources
            .requests
            .insert("cpu".to_owned(), crate::quantity(cpu));
        self.0.spec.init_containers.push(init);
        self
    }

    /// Takes a TCP port of the node, on all its addresses.
    #[must_use]
    pub fn host_port(self, port: i32) -> Self {
        self.host_port_on("", port, Protocol::Tcp)
    }

    /// Takes a port of the node on one address; on all where `ip` is empty.
    #[must_use]
    pub fn host_port_on(mut self, ip: &str, port: i32, protocol: Protocol) -> Self {
        let port = ContainerPort {
            container_port: port,
            host_port: port,
            host_ip: ip.to_owned(),
            protocol,
            ..ContainerPort::default()
        };
        self.0.spec.containers[0].ports.push(port);
        self
    }

    /// Wants a node with this label.
    #[must_use]
    pub fn node_selector(mut self, key: &str, value: &str) -> Self {
        self.0.spec.node_selector.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Tolerates every taint with this key; with any key where it is empty.
    #[must_use]
    pub fn tolerates(self, key: &str) -> Self {
        let operator = TolerationOperator::Exists;
        self.toleration(Toleration {
            key: key.to_owned(),
            operator,
            ..Toleration::default()
        })
    }

    /// Tolerates a `NoExecute` taint with this key for so many seconds.
    #[must_use]
    pub fn tolerates_for(self, key: &str, secs: i64) -> Self {
        self.toleration(Toleration {
            key: key.to_owned(),
            operator: TolerationOperator::Exists,
            effect: Some(TaintEffect::NoExecute),
            toleration_seconds: Some(secs),
            ..Toleration::default()
        })
    }

    /// Adds any toleration.
    #[must_use]
    pub fn toleration(mut self, toleration: Toleration) -> Self {
        self.0.spec.tolerations.push(toleration);
        self
    }

    /// Sets when ended containers are started again.
    #[must_use]
    pub fn restart(mut self, policy: RestartPolicy) -> Self {
        self.0.spec.restart_policy = policy;
        self
    }

    /// Binds it to a node.
    #[must_use]
    pub fn node(mut self, name: &str) -> Self {
        self.0.spec.node_name = name.to_owned();
        self
    }

    /// Sets its phase and nothing else.
    #[must_use]
    pub fn phase(mut self, phase: PodPhase) -> Self {
        self.0.status.phase = phase;
        self
    }

    /// Sets a condition, as of [`crate::start`].
    #[must_use]
    pub fn condition(mut self, r#type: &str, status: ConditionStatus) -> Self {
        set_condition(&mut self.0.status.conditions, r#type, status, crate::start());
        self
    }

    /// Running, not ready.
    #[must_use]
    pub fn running(mut self) -> Self {
        let state = ContainerState {
            running: Some(ContainerStateRunning {
                started_at: Some(crate::start()),
            }),
            ..ContainerState::default()
        };
        self.0.status.phase = PodPhase::Running;
        self.0.status.start_time = Some(crate::start());
        self.0.status.container_statuses = statuses(&self.0.spec, &state, false);
        self.condition("Ready", ConditionStatus::False)
    }

    /// Running and ready since [`crate::start`].
    #[must_use]
    pub fn ready(self) -> Self {
        self.ready_since(crate::start())
    }

    /// Running and ready since `time`.
    #[must_use]
    pub fn ready_since(self, time: Time) -> Self {
        let mut running = self.running();
        for status in &mut running.0.status.container_statuses {
            status.ready = true;
        }
        for r#type in ["PodScheduled", "Initialized", "ContainersReady", "Ready"] {
            set_condition(
                &mut running.0.status.conditions,
                r#type,
                ConditionStatus::True,
                time,
            );
        }
        running
    }

    /// Pending, its containers waiting for this reason.
    #[must_use]
    pub fn waiting(mut self, reason: &str, message: &str) -> Self {
        let waiting = ContainerStateWaiting {
            reason: reason.to_owned(),
            message: message.to_owned(),
        };
        let state = ContainerState {
            waiting: Some(waiting),
            ..ContainerState::default()
        };
        self.0.status.phase = PodPhase::Pending;
        self.0.status.container_statuses = statuses(&self.0.spec, &state, false);
        self.condition("Ready", ConditionStatus::False)
    }

    /// Failed, its containers ended with this exit code.
    #[must_use]
    pub fn failed(self, exit_code: i32) -> Self {
        self.ended(PodPhase::Failed, exit_code, "Error")
    }

    /// Succeeded.
    #[must_use]
    pub fn succeeded(self) -> Self {
        self.ended(PodPhase::Succeeded, 0, "Completed")
    }

    fn ended(mut self, phase: PodPhase, exit_code: i32, reason: &str) -> Self {
        let ended = ContainerStateTerminated {
            exit_code,
            reason: reason.to_owned(),
            finished_at: Some(crate::start()),
            ..ContainerStateTerminated::default()
        };
        let state = ContainerState {
            terminated: Some(Box::new(ended)),
            ..ContainerState::default()
        };
        self.0.status.phase = phase;
        self.0.status.container_statuses = statuses(&self.0.spec, &state, false);
        self.condition("Ready", ConditionStatus::False)
    }
}

fn statuses(spec: &PodSpec, state: &ContainerState, ready: bool) -> Vec<ContainerStatus> {
    let status = |container: &Container| ContainerStatus {
        name: container.name.clone(),
        image: container.image.clone(),
        state: state.clone(),
        ready,
        ..ContainerStatus::default()
    };
    spec.containers.iter().map(status).collect()
}

fn set_condition(conditions: &mut Vec<Condition>, r#type: &str, status: ConditionStatus, time: Time) {
    conditions.retain(|condition| condition.r#type != r#type);
    conditions.push(Condition {
        r#type: r#type.to_owned(),
        status,
        last_transition_time: Some(time),
        ..Condition::default()
    });
}
