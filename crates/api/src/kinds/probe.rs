//! Questions asked of a running container.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{IntOrString, is_default};

/// A question asked of a running container, again and again. Exactly one of `httpGet`, `tcpSocket`, `exec` and `grpc` is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Probe {
    /// Asks by HTTP: an answer from 200 to 399 is a success.
    #[serde(skip_serializing_if = "is_default")]
    pub http_get: Option<HttpGetAction>,
    /// Opens a TCP connection.
    #[serde(skip_serializing_if = "is_default")]
    pub tcp_socket: Option<TcpSocketAction>,
    /// Runs a command in the container: exit code 0 is a success.
    #[serde(skip_serializing_if = "is_default")]
    pub exec: Option<ExecAction>,
    /// Calls the gRPC health service.
    #[serde(skip_serializing_if = "is_default")]
    pub grpc: Option<GrpcAction>,
    /// Seconds after the container's start before the first try; also written `initialDelay`.
    #[serde(skip_serializing_if = "is_default", alias = "initialDelay")]
    pub initial_delay_seconds: i32,
    /// Seconds a try may take; 1 where not stated.
    pub timeout_seconds: i32,
    /// Seconds between tries; 10 where not stated; also written `period`.
    #[serde(alias = "period")]
    pub period_seconds: i32,
    /// Successes in a row that make it succeed; 1 where not stated.
    pub success_threshold: i32,
    /// Failures in a row that make it fail; 3 where not stated.
    pub failure_threshold: i32,
    /// Seconds the container has to end after this probe failed; the pod's where not stated.
    #[serde(skip_serializing_if = "is_default")]
    pub termination_grace_period_seconds: Option<i64>,
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            http_get: None,
            tcp_socket: None,
            exec: None,
            grpc: None,
            initial_delay_seconds: 0,
            timeout_seconds: 1,
            period_seconds: 10,
            success_threshold: 1,
            failure_threshold: 3,
            termination_grace_period_seconds: None,
        }
    }
}

/// An HTTP GET request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct HttpGetAction {
    /// The path, `/` where not stated.
    #[serde(skip_serializing_if = "is_default")]
    pub path: String,
    /// The port, by number or by a container port's name.
    pub port: IntOrString,
    /// The host to connect to; the pod's address where not stated.
    #[serde(skip_serializing_if = "is_default")]
    pub host: String,
    /// HTTP or HTTPS; a certificate is not checked.
    #[serde(skip_serializing_if = "is_default")]
    pub scheme: UriScheme,
    /// Headers to send.
    #[serde(skip_serializing_if = "is_default")]
    pub http_headers: Vec<HttpHeader>,
}

/// The scheme of an HTTP request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UriScheme {
    /// Plain HTTP.
    #[default]
    #[serde(rename = "HTTP")]
    Http,
    /// HTTP over TLS.
    #[serde(rename = "HTTPS")]
    Https,
}

/// A header of an HTTP request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct HttpHeader {
    /// The header's name.
    pub name: String,
    /// The header's value.
    pub value: String,
}

/// A TCP connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct TcpSocketAction {
    /// The port, by number or by a container port's name.
    pub port: IntOrString,
    /// The host to connect to; the pod's address where not stated.
    #[serde(skip_serializing_if = "is_default")]
    pub host: String,
}

/// A command run in the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ExecAction {
    /// The program and its arguments; no shell is involved.
    pub command: Vec<String>,
}

/// A call of the gRPC health service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct GrpcAction {
    /// The port's number.
    pub port: i32,
    /// The service to ask for; the whole server where not stated.
    #[serde(skip_serializing_if = "is_default")]
    pub service: String,
}

/// What is done at the turning points of a container's life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Lifecycle {
    /// Done right after the start; the container is not running until it has succeeded.
    #[serde(skip_serializing_if = "is_default")]
    pub post_start: Option<LifecycleHandler>,
    /// Done before the container is told to end; counts towards the grace period.
    #[serde(skip_serializing_if = "is_default")]
    pub pre_stop: Option<LifecycleHandler>,
}

/// Something done at a turning point. Exactly one field is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct LifecycleHandler {
    /// Runs a command in the container.
    #[serde(skip_serializing_if = "is_default")]
    pub exec: Option<ExecAction>,
    /// Asks by HTTP.
    #[serde(skip_serializing_if = "is_default")]
    pub http_get: Option<HttpGetAction>,
    /// Opens a TCP connection.
    #[serde(skip_serializing_if = "is_default")]
    pub tcp_socket: Option<TcpSocketAction>,
    /// Waits.
    #[serde(skip_serializing_if = "is_default")]
    pub sleep: Option<SleepAction>,
}

/// A wait.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct SleepAction {
    /// How long, in seconds.
    pub seconds: i64,
}
