//! What is listened on, before anybody is served.

use std::{io, net::SocketAddr};

use tokio::net::TcpListener;

use super::{Socket, SocketError};
use crate::{ServerConfig, ServerError};

/// What is listened on.
pub(crate) struct Listeners {
    pub socket: Socket,
    pub loopback: Option<TcpListener>,
    pub tls: Option<TcpListener>,
}

impl Listeners {
    /// Binds every address of the configuration.
    ///
    /// # Errors
    /// Where one is taken or cannot be used.
    pub(crate) async fn open(config: &ServerConfig) -> Result<Self, ServerError> {
        let path = &config.socket;
        let socket = Socket::bind(path).await.map_err(|error| match error {
            SocketError::Taken => ServerError::AlreadyRunning(path.clone()),
            other => ServerError::Socket {
                path: path.clone(),
                why: other.to_string(),
            },
        })?;
        Ok(Self {
            socket,
            loopback: bind(config.listen).await?,
            tls: bind(config.cluster.as_ref().map(|cluster| cluster.listen)).await?,
        })
    }

    /// Where it listens on TCP: with TLS, or else on loopback.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.tls
            .as_ref()
            .and_then(local)
            .or_else(|| self.loopback.as_ref().and_then(local))
    }

    /// How clients write its addresses; `advertised` is where others reach it with TLS.
    pub(crate) fn addresses(&self, config: &ServerConfig, advertised: Option<&str>) -> Vec<String> {
        let socket = format!("unix://{}", config.socket.display());
        let loopback = self.loopback.as_ref().and_then(local);
        let loopback = loopback.map(|address| format!("http://{address}"));
        let advertised = advertised.map(|address| format!("https://{address}"));
        std::iter::once(socket)
            .chain(loopback)
            .chain(advertised)
            .collect()
    }
}

async fn bind(address: Option<SocketAddr>) -> Result<Option<TcpListener>, ServerError> {
    let Some(address) = address else { return Ok(None) };
    let failed = |source: io::Error| ServerError::Listen { address, source };
    TcpListener::bind(address).await.map(Some).map_err(failed)
}

fn local(listener: &TcpListener) -> Option<SocketAddr> {
    listener.local_addr().ok()
}
