//! What is listened on, before anybody is served.

use std::{io, net::SocketAddr};

use skep_trust::{Io, Listener};
use tokio::{net::TcpListener, sync::mpsc};

use super::{Socket, SocketError};
use crate::{ServerConfig, ServerError};

/// What is listened on.
pub(crate) struct Listeners {
    pub local: Local,
    pub loopback: Option<TcpListener>,
    pub tls: Option<Listener>,
}

/// What those on the same machine come by.
pub(crate) enum Local {
    Socket(Socket),
    /// In a simulation.
    Other(mpsc::Receiver<Box<dyn Io>>),
}

impl Listeners {
    /// Binds every other address of the configuration.
    ///
    /// # Errors
    /// Where one is taken or cannot be used.
    pub(crate) async fn open(local: Local, config: &ServerConfig) -> Result<Self, ServerError> {
        Ok(Self {
            local,
            loopback: bind(config.listen).await?,
            tls: listen(config).await?,
        })
    }

    /// Where it listens on TCP: with TLS, or else on loopback.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.tls
            .as_ref()
            .and_then(|listener| listener.local_addr().ok())
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

impl Local {
    /// Binds the socket of the configuration.
    ///
    /// # Errors
    /// Where it is taken or cannot be used.
    pub(crate) async fn open(config: &ServerConfig) -> Result<Self, ServerError> {
        let path = &config.socket;
        let failed = |why: String| ServerError::Socket {
            path: path.clone(),
            why,
        };
        let other = config.wire.listen_local(path);
        if let Some(streams) = other.map_err(|error| failed(error.to_string()))? {
            return Ok(Self::Other(streams));
        }
        let socket = Socket::bind(path).await.map_err(|error| match error {
            SocketError::Taken => ServerError::AlreadyRunning(path.clone()),
            other => failed(other.to_string()),
        });
        socket.map(Self::Socket)
    }
}

async fn listen(config: &ServerConfig) -> Result<Option<Listener>, ServerError> {
    let Some(cluster) = &config.cluster else {
        return Ok(None);
    };
    let address = cluster.listen;
    let failed = |source: io::Error| ServerError::Listen { address, source };
    config.wire.listen(address).await.map(Some).map_err(failed)
}

async fn bind(address: Option<SocketAddr>) -> Result<Option<TcpListener>, ServerError> {
    let Some(address) = address else { return Ok(None) };
    let failed = |source: io::Error| ServerError::Listen { address, source };
    TcpListener::bind(address).await.map(Some).map_err(failed)
}

fn local(listener: &TcpListener) -> Option<SocketAddr> {
    listener.local_addr().ok()
}
