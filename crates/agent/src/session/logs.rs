//! Serves the log of a container, of its present run or the one before.

use std::time::Duration;

use futures::StreamExt;
use skep_api::proto::{LogsRequest, tunnel_up::Message as Up};

use super::tunnel::{Refusal, Tunnel};
use crate::{
    clock,
    runtime::{Container, LogOptions, Output},
};

pub(super) async fn serve(tunnel: &mut Tunnel, request: &LogsRequest) -> Result<(), Refusal> {
    let runs = tunnel.runs(&request.container).await?;
    let run = choose(&runs, request)?;
    let since = request
        .since_seconds
        .and_then(|seconds| u64::try_from(seconds).ok());
    let now = clock::now();
    let options = LogOptions {
        follow: request.follow,
        tail_lines: request.tail_lines.and_then(|lines| u64::try_from(lines).ok()),
        since: since.map(|seconds| before(now, Duration::from_secs(seconds))),
        timestamps: request.timestamps,
    };
    let log = tunnel.shared.runtime.logs(&run.id, &options).await;
    let mut log = log.map_err(|error| Refusal::engine(&error))?;
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
        let (Output::Stdout(bytes) | Output::Stderr(bytes)) =
            chunk.map_err(|error| Refusal::engine(&error))?;
        if !tunnel.send(Up::Stdout(bytes.to_vec())).await {
            return Ok(());
        }
    }
    tunnel.send(Up::ExitCode(0)).await;
    Ok(())
}

fn choose<'a>(runs: &'a [Container], request: &LogsRequest) -> Result<&'a Container, Refusal> {
    let wanted = if request.previous {
        runs.get(1)
    } else {
        runs.first()
    };
    wanted.ok_or_else(|| {
        let (container, pod) = (&request.container, &request.pod);
        let message = if request.previous && !runs.is_empty() {
            format!("previous terminated container {container:?} in pod {pod:?} not found")
        } else {
            format!("container {container:?} in pod {pod:?} is waiting to start: it has no log yet")
        };
        Refusal::new(
            if request.previous {
                "NotFound"
            } else {
                "BadRequest"
            },
            message,
        )
    })
}

fn before(now: skep_api::Time, ago: Duration) -> skep_api::Time {
    let millis = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
    skep_api::Time::from_millis(now.as_millis().saturating_sub(millis))
}
