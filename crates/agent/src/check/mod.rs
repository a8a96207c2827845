//! Questions to a container: by HTTP, TCP, command and the gRPC health service. Probes and lifecycle hooks ask them.

mod exec;
mod grpc;
mod http;
mod target;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;

pub(crate) use target::Target;

use std::time::Duration;

use skep_api::{LifecycleHandler, Probe};

/// Asks what a probe asks, once; `Err` says in words why the answer is no.
pub(crate) async fn probe(target: &Target, probe: &Probe) -> Result<(), String> {
    let limit = Duration::from_secs(u64::try_from(probe.timeout_seconds).unwrap_or(1).max(1));
    let asked = async {
        if let Some(action) = &probe.http_get {
            http::get(target, action).await
        } else if let Some(action) = &probe.tcp_socket {
            tcp::connect(target, action).await
        } else if let Some(action) = &probe.exec {
            exec::run(target, &action.command).await
        } else if let Some(action) = &probe.grpc {
            grpc::check(target, action).await
        } else {
            Ok(())
        }
    };
    tokio::time::timeout(limit, asked)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", limit.as_secs())))
}

/// Runs a lifecycle hook to its end; `Err` says in words why it failed.
pub(crate) async fn hook(target: &Target, handler: &LifecycleHandler) -> Result<(), String> {
    if let Some(action) = &handler.exec {
        exec::run(target, &action.command).await
    } else if let Some(action) = &handler.http_get {
        http::get(target, action).await
    } else if let Some(action) = &handler.tcp_socket {
        tcp::connect(target, action).await
    } else if let Some(action) = &handler.sleep {
        tokio::time::sleep(Duration::from_secs(u64::try_from(action.seconds).unwrap_or(0))).await;
        Ok(())
    } else {
        Ok(())
    }
}
