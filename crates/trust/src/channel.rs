//! gRPC channels over these TLS configurations.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::Endpoint;

use crate::{Gathered, Stream, Wire, patient::PatientTasks};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Sent where the address is none that TLS can name; what the server is called does not matter.
const ANY_SERVER: &str = "server.skep.internal";

/// An endpoint at `host:port`; to be connected with a [`Connector`]. Dead connections are noticed within half a minute.
///
/// # Errors
/// Where the address is none.
pub fn endpoint(address: &str) -> Result<Endpoint, tonic::transport::Error> {
    // Plain to tonic, which would otherwise want to do TLS itself.
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
    Ok(endpoint
        .executor(PatientTasks)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true))
}

/// A connection to a server.
pub type Connection = Gathered<TlsStream<Stream>>;

/// Connects tonic's endpoints by TCP and TLS.
#[derive(Clone)]
pub struct Connector {
    tls: TlsConnector,
    wire: Wire,
}

impl Connector {
    /// Connects with this configuration: [`Tls::client_config`](crate::Tls::client_config) or
    /// [`pinned_client_config`](crate::pinned_client_config).
    pub fn new(config: Arc<ClientConfig>) -> Self {
        Self {
            tls: config.into(),
            wire: Wire::default(),
        }
    }

    /// The same over this wire.
    #[must_use]
    pub fn over(self, wire: &Wire) -> Self {
        Self {
            wire: wire.clone(),
            ..self
        }
    }

    /// A TLS connection to `host:port`.
    ///
    /// # Errors
    /// Where nobody listens there, or the handshake fails.
    pub async fn connect(&self, address: &str) -> io::Result<Connection> {
        let stream = self.wire.connect(address).await?;
        let connected = self.tls.connect(server_name(address), stream).await;
        connected.map(Gathered::new).map_err(|error| {
            if is_about_time(&error) {
                with_hint(&error)
            } else {
                error
            }
        })
    }
}

/// Whether a certificate is not valid yet or any more, by the clock of either side.
fn is_about_time(error: &io::Error) -> bool {
    use rustls::{AlertDescription, CertificateError as Wrong, Error};
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    matches!(
        inner,
        Some(
            Error::AlertReceived(AlertDescription::CertificateExpired)
                | Error::InvalidCertificate(
                    Wrong::Expired
                        | Wrong::ExpiredContext { .. }
                        | Wrong::NotValidYet
                        | Wrong::NotValidYetContext { .. }
                )
        )
    )
}

fn with_hint(error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("{error}; see whether the clocks of both machines are right"),
    )
}

fn server_name(address: &str) -> ServerName<'static> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(host.to_owned())
        .or_else(|_| ServerName::try_from(ANY_SERVER))
        .expect("the constant is a name")
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<Connection>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let address = uri
                .authority()
                .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the address has no host"))?;
            connector.connect(address.as_str()).await.map(TokioIo::new)
        })
    }
}
