//! The connection to the engine.

use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, BollardRequest, ClientVersion, Docker as Client};
use http::Uri;

use super::{Docker, error};
use crate::runtime::RuntimeError;

/// For an answer to begin; streams may last.
const TIMEOUT: Duration = Duration::from_secs(120);

impl Docker {
    /// The client, which speaks the newest version that both sides know.
    pub(super) async fn client(&self) -> Result<&Client, RuntimeError> {
        self.client.get_or_try_init(|| self.connect()).await
    }

    async fn connect(&self) -> Result<Client, RuntimeError> {
        let timeout = TIMEOUT.as_secs();
        let client = if self.host.starts_with("unix://") {
            Client::connect_with_unix(&self.host, timeout, API_DEFAULT_VERSION)
        } else if self.host.starts_with("tcp://") || self.host.starts_with("http://") {
            Client::connect_with_http(&self.host, timeout, API_DEFAULT_VERSION)
        } else {
            return Err(RuntimeError::Engine(format!(
                "cannot reach an engine at {}: write unix://PATH or tcp://HOST:PORT",
                self.host
            )));
        };
        let client = client
            .map_err(error::from)?
            .negotiate_version()
            .await
            .map_err(error::from)?;
        let version = client.client_version();
        Ok(client.with_request_modifier(move |request| pinned(request, &version)))
    }
}

/// The client library names no version, so a newer engine would answer in a form of its own.
fn pinned(mut request: BollardRequest, version: &ClientVersion) -> BollardRequest {
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str);
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = format!("/v{version}{path}").parse().ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}
