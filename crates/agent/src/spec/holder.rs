//! The container that holds the namespaces a pod's containers share. Pods of one container, and no sidecar, have none: their
//! container owns its namespaces, and its init containers run before it at the same address.

use skep_api::Pod;

use super::{ContainerKind, Inputs, SpecError, container_name, labels, network, security};
use crate::runtime::{ContainerSpec, HOLDER_COMMAND, HOLDER_IMAGE};

/// The last to be killed when memory runs out, as Kubernetes' own.
const HOLDER_OOM_SCORE_ADJ: i64 = -998;
/// It writes nothing.
const HOLDER_LOG_BYTES: u64 = 64 * 1024;

/// True for pods whose containers share namespaces.
pub fn needs_holder(pod: &Pod) -> bool {
    pod.spec.lasting_containers().count() > 1
}

/// The holder of a pod. Of the inputs it takes `cluster`, `node`, `attempt`, `network`, `address` and `dns`.
pub fn holder(pod: &Pod, inputs: &Inputs<'_>) -> Result<ContainerSpec, SpecError> {
    let inputs = Inputs {
        kind: ContainerKind::Holder,
        ..inputs.clone()
    };
    let mut spec = ContainerSpec {
        name: container_name(pod, "holder", inputs.attempt),
        labels: labels::labels(pod, None, &inputs),
        image: HOLDER_IMAGE.to_owned(),
        entrypoint: vec![HOLDER_COMMAND.to_owned()],
        user: "65535:65535".to_owned(),
        cap_drop: vec!["ALL".to_owned()],
        read_only_root: true,
        security_opt: vec!["no-new-privileges".to_owned()],
        sysctls: security::sysctls(pod)?,
        cpu_shares: 2,
        oom_score_adj: HOLDER_OOM_SCORE_ADJ,
        log_bytes_max: HOLDER_LOG_BYTES,
        ..ContainerSpec::default()
    };
    network::apply(&mut spec, pod, &inputs)?;
    Ok(spec)
}
