//! The agent's own door: who has the right to on the machine sees its pods and their logs, also while no server is in reach.

mod service;
mod socket;

use std::{path::Path, sync::Arc};

use skep_api::proto::local_server::LocalServer;
use tokio_stream::wrappers::UnixListenerStream;

use crate::shared::Shared;

pub(crate) use socket::path;

/// Answers on the socket in the data folder, for ever. Where it cannot be made, the agent does without.
pub(crate) async fn serve(shared: Arc<Shared>) {
    let path = path(&shared.config.data_dir);
    let error = match serve_at(&shared, &path).await {
        Ok(()) => "the listener has ended".to_owned(),
        Err(error) => error.to_string(),
    };
    tracing::warn!(%error, "nobody can ask this agent on {}", path.display());
    std::future::pending::<()>().await;
}

async fn serve_at(shared: &Arc<Shared>, path: &Path) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (listener, _file) = socket::bind(path)?;
    let service = LocalServer::new(service::Door::new(Arc::clone(shared)));
    tonic::transport::Server::builder()
        .add_service(service)
        .serve_with_incoming(UnixListenerStream::new(listener))
        .await?;
    Ok(())
}
