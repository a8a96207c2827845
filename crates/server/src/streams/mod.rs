//! Logs and commands: from a client through a tunnel to the agent of the pod's node, and back.

mod exec;
mod logs;
mod target;

use std::{sync::Arc, time::Duration};

use skep_api::proto::{OpenTunnel, TunnelError, open_tunnel::Purpose};
use tonic::{Code, Status};

pub(crate) use exec::{exec, exec_here};
pub(crate) use logs::{logs, logs_here};

use self::target::Target;
use crate::{core::Core, failure::Failure, tunnels::Tunnel};

/// How long an agent may take to open a tunnel.
const OPEN_WITHIN: Duration = Duration::from_secs(10);

/// Asks the agent of the pod's node for a tunnel, and waits until it is open.
async fn open_tunnel(core: &Arc<Core>, target: &Target, purpose: Purpose) -> Result<Tunnel, Failure> {
    let node = &target.node;
    let mut awaited = core.tunnels.expect();
    let ask = OpenTunnel {
        tunnel_id: awaited.id().to_owned(),
        pod_uid: target.pod_uid.clone(),
        purpose: Some(purpose),
    };
    let opening = async {
        if core.sessions.ask_for_tunnel(node, ask).await {
            awaited.opened().await
        } else {
            None
        }
    };
    match tokio::time::timeout(OPEN_WITHIN, opening).await {
        Ok(Some(tunnel)) => Ok(tunnel),
        Ok(None) => Err(Failure::Unavailable(format!(
            "the agent of node \"{node}\" is not connected"
        ))),
        Err(_) => {
            let secs = OPEN_WITHIN.as_secs();
            Err(Failure::Unavailable(format!(
                "the agent of node \"{node}\" did not answer within {secs} s"
            )))
        }
    }
}

/// What an agent says went wrong, as the client is told.
fn failed(error: TunnelError) -> Status {
    let code = match error.reason.as_str() {
        "NotFound" => Code::NotFound,
        "BadRequest" => Code::InvalidArgument,
        "Unavailable" => Code::Unavailable,
        _ => Code::Internal,
    };
    let detail = skep_api::proto::ErrorDetail {
        reason: error.reason,
        message: error.message,
        ..Default::default()
    };
    skep_api::status::with_detail(code, detail)
}
