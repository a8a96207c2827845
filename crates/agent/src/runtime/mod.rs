//! The container engine as the agent needs it: one narrow trait. What to run is decided elsewhere; nothing here has a policy.

mod container;
mod container_spec;
mod docker;
mod engine;
mod error;
mod stream;

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use futures::stream::BoxStream;

pub use container::{Container, ContainerEvent, ContainerEventKind, RunState};
pub use container_spec::{ContainerSpec, Mount, NetworkMode, PortMapping};
pub use docker::{Docker, HOLDER_COMMAND, HOLDER_IMAGE};
pub use engine::{Credentials, EngineInfo, ImageInfo, Network, Usage};
pub use error::RuntimeError;
pub use stream::{Exec, ExecInput, ExecSpec, LogOptions, Output};

/// The engine's id of a container.
pub type ContainerId = String;

/// The engine. Every call is safe to repeat: creating what is there, starting what runs, stopping or removing what is gone succeed.
#[async_trait]
pub trait Runtime: Send + Sync + 'static {
    /// Version and place of the engine; also serves as "is it there?".
    async fn info(&self) -> Result<EngineInfo, RuntimeError>;

    /// Makes the bridge that pods live on, or checks that it is as wanted.
    async fn ensure_network(&self, network: &Network) -> Result<(), RuntimeError>;

    /// Removes a bridge that no container is on; one that is gone is fine.
    async fn remove_network(&self, name: &str) -> Result<(), RuntimeError>;

    /// Fetches an image.
    async fn pull(&self, image: &str, credentials: Option<&Credentials>) -> Result<(), RuntimeError>;

    /// An image the engine has; `None` where it has not.
    async fn image(&self, image: &str) -> Result<Option<ImageInfo>, RuntimeError>;

    /// All images the engine has.
    async fn images(&self) -> Result<Vec<ImageInfo>, RuntimeError>;

    /// Removes an image that no container uses.
    async fn remove_image(&self, id: &str) -> Result<(), RuntimeError>;

    /// Sees to it that [`HOLDER_IMAGE`] is there. Engines that have no use for it need not do anything.
    async fn ensure_holder_image(&self) -> Result<(), RuntimeError> {
        Ok(())
    }

    /// Makes a container without starting it. Where one of this name exists, answers with its id.
    async fn create(&self, spec: &ContainerSpec) -> Result<ContainerId, RuntimeError>;

    /// Starts it.
    async fn start(&self, id: &str) -> Result<(), RuntimeError>;

    /// Tells it to end, and kills it after `grace`. Returns when it has ended.
    async fn stop(&self, id: &str, grace: Duration) -> Result<(), RuntimeError>;

    /// Removes it with its log; kills it where it runs.
    async fn remove(&self, id: &str) -> Result<(), RuntimeError>;

    /// Has it run on these CPUs from now on, such as `0-2,5`; one that is gone is fine.
    async fn set_cpus(&self, id: &str, cpus: &str) -> Result<(), RuntimeError>;

    /// What a container uses now; `None` where it is gone. What it has on disk only `with_disk`: that takes long.
    async fn usage(&self, id: &str, with_disk: bool) -> Result<Option<Usage>, RuntimeError>;

    /// One container; `None` where it is gone.
    async fn container(&self, id: &str) -> Result<Option<Container>, RuntimeError>;

    /// All containers that carry these labels, ended ones too.
    async fn containers(&self, labels: &BTreeMap<String, String>) -> Result<Vec<Container>, RuntimeError>;

    /// What happens to containers that carry these labels from now on. Ends when the engine goes away.
    async fn events(
        &self,
        labels: &BTreeMap<String, String>,
    ) -> Result<BoxStream<'static, ContainerEvent>, RuntimeError>;

    /// What it wrote.
    async fn logs(
        &self,
        id: &str,
        options: &LogOptions,
    ) -> Result<BoxStream<'static, Result<Output, RuntimeError>>, RuntimeError>;

    /// Runs a command in it.
    async fn exec(&self, id: &str, spec: &ExecSpec) -> Result<Exec, RuntimeError>;
}
