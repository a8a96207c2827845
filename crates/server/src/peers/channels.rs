//! Connections to other servers: made when first used, kept, and made anew after they broke.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use hyper_util::rt::TokioIo;
use skep_trust::{Connector, Tls, Wire};
use tonic::transport::{Channel, Uri};

/// How long a connection may take to stand, handshake included.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// A connection that says nothing for so long is asked whether it lives, and given up after as long again: a wire that
/// was cut and mended is used again soon.
const PING_AFTER: Duration = Duration::from_secs(2);

/// Bytes that one call may have in flight: a chunk of a snapshot fits.
const STREAM_WINDOW_BYTES: u32 = 2 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;

/// Servers that are remembered; there are never more than a handful.
const SERVERS_MAX: usize = 64;

/// Connections to other servers, by address.
pub(crate) struct Channels {
    tls: Tls,
    wire: Wire,
    by_address: Mutex<HashMap<String, Lines>>,
}

/// Consensus has a line of its own, so that no log and no command stands in its way.
#[derive(Clone)]
struct Lines {
    consensus: Channel,
    calls: Channel,
}

impl Channels {
    /// None yet; the certificates are those that are current when a connection is made.
    pub(crate) fn new(tls: Tls, wire: Wire) -> Self {
        Self {
            tls,
            wire,
            by_address: Mutex::default(),
        }
    }

    /// The line for consensus.
    ///
    /// # Errors
    /// Where the address, `host:port`, makes no sense.
    pub(crate) fn consensus(&self, address: &str) -> Result<Channel, String> {
        self.lines(address).map(|lines| lines.consensus)
    }

    /// The line for everything else.
    ///
    /// # Errors
    /// As for [`Self::consensus`].
    pub(crate) fn calls(&self, address: &str) -> Result<Channel, String> {
        self.lines(address).map(|lines| lines.calls)
    }

    fn lines(&self, address: &str) -> Result<Lines, String> {
        let mut by_address = self.by_address.lock().expect("no holder panics");
        if let Some(lines) = by_address.get(address) {
            return Ok(lines.clone());
        }
        if by_address.len() >= SERVERS_MAX {
            by_address.clear();
        }
        let lines = Lines {
            consensus: self.channel(address)?,
            calls: self.channel(address)?,
        };
        by_address.insert(address.to_owned(), lines.clone());
        Ok(lines)
    }

    fn channel(&self, address: &str) -> Result<Channel, String> {
        let endpoint = skep_trust::endpoint(address)
            .map_err(|_| format!("`{address}` is no address of a server: write HOST:PORT"))?
            .http2_keep_alive_interval(PING_AFTER)
            .keep_alive_timeout(PING_AFTER)
            .keep_alive_while_idle(false)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES);
        let (tls, wire, address) = (self.tls.clone(), self.wire.clone(), address.to_owned());
        let connector = tower::service_fn(move |_: Uri| {
            let (tls, wire, address) = (tls.clone(), wire.clone(), address.clone());
            async move {
                let connecting = Connector::new(tls.client_config()).over(&wire);
                match tokio::time::timeout(CONNECT_WITHIN, connecting.connect(&address)).await {
                    Ok(Ok(stream)) => Ok(TokioIo::new(stream)),
                    Ok(Err(error)) => Err(NotConnected(format!("{address}: {error}"))),
                    Err(_) => Err(NotConnected(format!("{address} does not answer"))),
                }
            }
        });
        Ok(endpoint.connect_with_connector_lazy(connector))
    }
}

/// There is no connection: nothing was sent.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NotConnected(String);
