//! One container of a pod.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Lifecycle, ObjectFieldSelector, Probe, ResourceFieldSelector, ResourceList, SecurityContext, VolumeMount,
    is_default,
};

/// One container of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Container {
    /// Name within the pod.
    pub name: String,
    /// The image to run, such as `registry.internal/web:v2`.
    pub image: String,
    /// When the image is pulled; Always for `:latest` or no tag, else IfNotPresent, where not stated.
    #[serde(skip_serializing_if = "is_default")]
    pub image_pull_policy: Option<ImagePullPolicy>,
    /// The program, in place of the image's entry point; `$(VAR)` is replaced.
    #[serde(skip_serializing_if = "is_default")]
    pub command: Vec<String>,
    /// Its arguments, in place of the image's; `$(VAR)` is replaced.
    #[serde(skip_serializing_if = "is_default")]
    pub args: Vec<String>,
    /// Where it starts; the image's where not stated.
    #[serde(skip_serializing_if = "is_default")]
    pub working_dir: String,
    /// Ports it listens on.
    #[serde(skip_serializing_if = "is_default")]
    pub ports: Vec<ContainerPort>,
    /// Variables from whole config maps and secrets; later sources win.
    #[serde(skip_serializing_if = "is_default")]
    pub env_from: Vec<EnvFromSource>,
    /// Variables; they win over `envFrom`.
    #[serde(skip_serializing_if = "is_default")]
    pub env: Vec<EnvVar>,
    /// What it needs and what it may use.
    #[serde(skip_serializing_if = "is_default")]
    pub resources: ResourceRequirements,
    /// `Always` makes an init container a sidecar: those after it start once it has started, it is started again whenever it
    /// ends, and it ends after the others. Other containers leave it out.
    #[serde(skip_serializing_if = "is_default")]
    pub restart_policy: Option<ContainerRestartPolicy>,
    /// Volumes it sees.
    #[serde(skip_serializing_if = "is_default")]
    pub volume_mounts: Vec<VolumeMount>,
    /// Restarts the container when it fails.
    #[serde(skip_serializing_if = "is_default")]
    pub liveness_probe: Option<Box<Probe>>,
    /// Counts the pod as not ready while it fails.
    #[serde(skip_serializing_if = "is_default")]
    pub readiness_probe: Option<Box<Probe>>,
    /// Holds the other probes back until it succeeds; restarts the container when it fails.
    #[serde(skip_serializing_if = "is_default")]
    pub startup_probe: Option<Box<Probe>>,
    /// What is done after its start and before its end.
    #[serde(skip_serializing_if = "is_default")]
    pub lifecycle: Option<Box<Lifecycle>>,
    /// File in the container whose text ends up in its status; `/dev/termination-log` where not stated.
    pub termination_message_path: String,
    /// Where the text comes from.
    #[serde(skip_serializing_if = "is_default")]
    pub termination_message_policy: TerminationMessagePolicy,
    /// What its processes may do.
    #[serde(skip_serializing_if = "is_default")]
    pub security_context: Option<Box<SecurityContext>>,
    /// True keeps its standard input open.
    #[serde(skip_serializing_if = "is_default")]
    pub stdin: bool,
    /// True closes its standard input after the first client.
    #[serde(skip_serializing_if = "is_default")]
    pub stdin_once: bool,
    /// True gives it a terminal.
    #[serde(skip_serializing_if = "is_default")]
    pub tty: bool,
}

impl Default for Container {
    fn default() -> Self {
        Self {
            name: String::new(),
            image: String::new(),
            image_pull_policy: None,
            command: Vec::new(),
            args: Vec::new(),
            working_dir: String::new(),
            ports: Vec::new(),
            env_from: Vec::new(),
            env: Vec::new(),
            resources: ResourceRequirements::default(),
            restart_policy: None,
            volume_mounts: Vec::new(),
            liveness_probe: None,
            readiness_probe: None,
            startup_probe: None,
            lifecycle: None,
            termination_message_path: "/dev/termination-log".to_owned(),
            termination_message_policy: TerminationMessagePolicy::File,
            security_context: None,
            stdin: false,
            stdin_once: false,
            tty: false,
        }
    }
}

/// Whether a container is started again, whatever the pod says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ContainerRestartPolicy {
    /// Whenever it has ended.
    Always,
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ImagePullPolicy {
    /// Where the node does not have it.
    #[default]
    IfNotPresent,
    /// Before each start.
    Always,
    /// Not at all: it must be on the node.
    Never,
}

/// Where the last words of a container come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TerminationMessagePolicy {
    /// The file `terminationMessagePath`.
    #[default]
    File,
    /// The file, or where it is empty and the container failed, the end of its log.
    FallbackToLogsOnError,
}

/// A port a container listens on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerPort {
    /// A name for probes and services to use.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// The port in the container, 1 to 65535.
    pub container_port: i32,
    /// The port of the node that leads to it; none where 0.
    #[serde(skip_serializing_if = "is_default")]
    pub host_port: i32,
    /// The node's address to listen on; all where not stated.
    #[serde(skip_serializing_if = "is_default", rename = "hostIP")]
    pub host_ip: String,
    /// TCP, UDP or SCTP.
    pub protocol: Protocol,
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Protocol {
    /// TCP.
    #[default]
    #[serde(rename = "TCP")]
    Tcp,
    /// UDP.
    #[serde(rename = "UDP")]
    Udp,
    /// SCTP.
    #[serde(rename = "SCTP")]
    Sctp,
}

/// A variable. At most one of `value` and `valueFrom` is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct EnvVar {
    /// The variable's name.
    pub name: String,
    /// Its value; `$(VAR)` is replaced.
    #[serde(skip_serializing_if = "is_default")]
    pub value: String,
    /// Where its value comes from.
    #[serde(skip_serializing_if = "is_default")]
    pub value_from: Option<Box<EnvVarSource>>,
}

/// Where a variable's value comes from. Exactly one field is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct EnvVarSource {
    /// A key of a config map.
    #[serde(skip_serializing_if = "is_default")]
    pub config_map_key_ref: Option<KeySelector>,
    /// A key of a secret.
    #[serde(skip_serializing_if = "is_default")]
    pub secret_key_ref: Option<KeySelector>,
    /// A field of the pod.
    #[serde(skip_serializing_if = "is_default")]
    pub field_ref: Option<ObjectFieldSelector>,
    /// A container's request or limit.
    #[serde(skip_serializing_if = "is_default")]
    pub resource_field_ref: Option<ResourceFieldSelector>,
}

/// A key of a config map or secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct KeySelector {
    /// Name of the config map or secret.
    pub name: String,
    /// The key.
    pub key: String,
    /// True where the object or the key may be missing.
    #[serde(skip_serializing_if = "is_default")]
    pub optional: bool,
}

/// Variables from a whole config map or secret. Exactly one of `configMapRef` and `secretRef` is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct EnvFromSource {
    /// Put before each key.
    #[serde(skip_serializing_if = "is_default")]
    pub prefix: String,
    /// The config map.
    #[serde(skip_serializing_if = "is_default")]
    pub config_map_ref: Option<EnvSourceRef>,
    /// The secret.
    #[serde(skip_serializing_if = "is_default")]
    pub secret_ref: Option<EnvSourceRef>,
}

/// A config map or secret by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct EnvSourceRef {
    /// Its name.
    pub name: String,
    /// True where it may be missing.
    #[serde(skip_serializing_if = "is_default")]
    pub optional: bool,
}

/// What a container needs and what it may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ResourceRequirements {
    /// What it may use at most.
    #[serde(skip_serializing_if = "is_default")]
    pub limits: ResourceList,
    /// What is set aside for it; the limits where not stated.
    #[serde(skip_serializing_if = "is_default")]
    pub requests: ResourceList,
}
