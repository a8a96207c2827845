//! Making and starting a container in one go, with the one fallback that keeps pods running.

use super::{ContainerId, ContainerSpec, Runtime, RuntimeError};

/// A container that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// The engine's id.
    pub id: ContainerId,
    /// True where the engine may not lower OOM scores on this node and the container runs with a score of 0: worth an
    /// event, and worth remembering, since asking again costs a failed start each time.
    pub oom_score_refused: bool,
}

/// Makes and starts a container. Where the engine may not give it a negative OOM score, it is made again with 0.
pub async fn create_and_start(runtime: &dyn Runtime, spec: &ContainerSpec) -> Result<Started, RuntimeError> {
    let id = runtime.create(spec).await?;
    match runtime.start(&id).await {
        Ok(()) => Ok(Started {
            id,
            oom_score_refused: false,
        }),
        Err(RuntimeError::OomScore(_)) if spec.oom_score_adj < 0 => {
            runtime.remove(&id).await?;
            let id = runtime
                .create(&ContainerSpec {
                    oom_score_adj: 0,
                    ..spec.clone()
                })
                .await?;
            runtime.start(&id).await?;
            Ok(Started {
                id,
                oom_score_refused: true,
            })
        }
        Err(error) => Err(error),
    }
}
