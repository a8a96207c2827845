//! The Docker engine, 20.10 and later, through its API.

mod client;
mod convert;
mod create;
mod error;
mod events;
mod exec;
mod frames;
mod hijack;
mod holder_image;
mod images;
mod lifecycle;
mod logs;
mod network;
mod usage;

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use futures::stream::BoxStream;
use tokio::sync::{Mutex, OnceCell};

use super::{
    Container, ContainerEvent, ContainerId, ContainerSpec, Credentials, EngineInfo, Exec, ExecSpec,
    ImageInfo, LogOptions, Network, Output, Runtime, RuntimeError, Usage,
};
pub use holder_image::{HOLDER_COMMAND, HOLDER_IMAGE};

/// A Docker engine. It need not be there yet: each call says [`RuntimeError::Unavailable`] until it is.
pub struct Docker {
    host: String,
    client: OnceCell<bollard::Docker>,
    /// Held while the holder's image is made, so that it is made once.
    holder_image: Mutex<()>,
}

impl Docker {
    /// Where engines listen unless told otherwise.
    pub const DEFAULT_HOST: &'static str = "unix:///var/run/docker.sock";

    /// The engine at a host such as `unix:///var/run/docker.sock`, `/var/run/docker.sock` or `tcp://10.0.0.1:2375`.
    /// Nothing is asked of it yet.
    pub fn new(host: &str) -> Self {
        let host = if host.starts_with('/') {
            format!("unix://{host}")
        } else {
            host.to_owned()
        };
        Self {
            host,
            client: OnceCell::new(),
            holder_image: Mutex::new(()),
        }
    }
}

impl Default for Docker {
    fn default() -> Self {
        Self::new(Self::DEFAULT_HOST)
    }
}

#[async_trait]
impl Runtime for Docker {
    async fn info(&self) -> Result<EngineInfo, RuntimeError> {
        let version = self
            .client()
            .await?
            .version()
            .await
            .map_err(error::from)?
            .version
            .unwrap_or_default();
        let info = self.client().await?.info().await.map_err(error::from)?;
        let mut runtimes: Vec<String> = info.runtimes.unwrap_or_default().into_keys().collect();
        runtimes.sort_unstable();
        Ok(EngineInfo {
            version,
            root: info.docker_root_dir.unwrap_or_default().into(),
            runtimes,
        })
    }

    async fn ensure_network(&self, network: &Network) -> Result<(), RuntimeError> {
        network::ensure(self.client().await?, network).await
    }

    async fn remove_network(&self, name: &str) -> Result<(), RuntimeError> {
        network::remove(self.client().await?, name).await
    }

    async fn pull(&self, image: &str, credentials: Option<&Credentials>) -> Result<(), RuntimeError> {
        images::pull(self.client().await?, image, credentials).await
    }

    async fn image(&self, image: &str) -> Result<Option<ImageInfo>, RuntimeError> {
        images::find(self.client().await?, image).await
    }

    async fn images(&self) -> Result<Vec<ImageInfo>, RuntimeError> {
        images::list(self.client().await?).await
    }

    async fn remove_image(&self, id: &str) -> Result<(), RuntimeError> {
        images::remove(self.client().await?, id).await
    }

    async fn ensure_holder_image(&self) -> Result<(), RuntimeError> {
        let _making = self.holder_image.lock().await;
        holder_image::ensure(self.client().await?).await
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<ContainerId, RuntimeError> {
        create::create(self.client().await?, spec).await
    }

    async fn start(&self, id: &str) -> Result<(), RuntimeError> {
        lifecycle::start(self.client().await?, id).await
    }

    async fn stop(&self, id: &str, grace: Duration) -> Result<(), RuntimeError> {
        lifecycle::stop(self.client().await?, id, grace).await
    }

    async fn remove(&self, id: &str) -> Result<(), RuntimeError> {
        lifecycle::remove(self.client().await?, id).await
    }

    async fn set_cpus(&self, id: &str, cpus: &str) -> Result<(), RuntimeError> {
        lifecycle::set_cpus(self.client().await?, id, cpus).await
    }

    async fn usage(&self, id: &str, with_disk: bool) -> Result<Option<Usage>, RuntimeError> {
        usage::of(self.client().await?, id, with_disk).await
    }

    async fn container(&self, id: &str) -> Result<Option<Container>, RuntimeError> {
        lifecycle::find(self.client().await?, id).await
    }

    async fn containers(&self, labels: &BTreeMap<String, String>) -> Result<Vec<Container>, RuntimeError> {
        lifecycle::list(self.client().await?, labels).await
    }

    async fn events(
        &self,
        labels: &BTreeMap<String, String>,
    ) -> Result<BoxStream<'static, ContainerEvent>, RuntimeError> {
        events::watch(self.client().await?, labels).await
    }

    async fn logs(
        &self,
        id: &str,
        options: &LogOptions,
    ) -> Result<BoxStream<'static, Result<Output, RuntimeError>>, RuntimeError> {
        logs::read(self.client().await?, id, options).await
    }

    async fn exec(&self, id: &str, spec: &ExecSpec) -> Result<Exec, RuntimeError> {
        exec::exec(self.client().await?, &self.host, id, spec).await
    }
}
