//! Serves the log of a container through a tunnel.

use futures::StreamExt;
use skep_api::proto::{LogsRequest, tunnel_up::Message as Up};

use super::tunnel::Tunnel;
use crate::streams::{self, Refusal};

pub(super) async fn serve(tunnel: &mut Tunnel, request: &LogsRequest) -> Result<(), Refusal> {
    let mut log = streams::log(&tunnel.shared, &tunnel.pod_uid, request).await?;
    loop {
        let chunk = tokio::select! {
            chunk = log.next() => chunk,
            heard = tunnel.down.message() => match heard {
                Ok(Some(_)) => continue,
                // The reader has gone.
                Ok(None) | Err(_) => return Ok(()),
            },
        };
        let Some(chunk) = chunk else { break };
        if !tunnel.send(Up::Stdout(chunk?.to_vec())).await {
            return Ok(());
        }
    }
    tunnel.send(Up::ExitCode(0)).await;
    Ok(())
}
