//! A channel to the server: over a Unix socket, or over HTTP with a token.

use std::time::Duration;

use hyper_util::rt::TokioIo;
use skep_api::proto::node_client::NodeClient;
use tokio::net::UnixStream;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint, Uri},
};

use crate::{AgentError, ServerAddress};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A snapshot of a full node with large config maps is far from this.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// The server's side of the node service.
pub(super) type Client = NodeClient<InterceptedService<Channel, Bearer>>;

/// Shows the token.
#[derive(Clone)]
pub(super) struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// How the server is reached.
#[derive(Clone)]
pub(super) struct Dialer {
    endpoint: Endpoint,
    socket: Option<std::path::PathBuf>,
    bearer: Bearer,
}

impl Dialer {
    /// # Errors
    /// Where the address makes no sense.
    pub(super) fn new(address: &ServerAddress) -> Result<Self, AgentError> {
        let (uri, socket, token) = match address {
            ServerAddress::Unix(path) => ("http://localhost", Some(path.clone()), ""),
            ServerAddress::Uri { uri, token } => (uri.as_str(), None, token.as_str()),
        };
        let endpoint = Endpoint::from_shared(uri.to_owned())
            .map_err(|error| AgentError::Config(format!("server address `{uri}`: {error}")))?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10));
        let bearer = if token.is_empty() {
            None
        } else {
            let text = format!("Bearer {token}");
            Some(
                text.parse()
                    .map_err(|_| AgentError::Config("the server's token is not plain text".to_owned()))?,
            )
        };
        Ok(Self {
            endpoint,
            socket,
            bearer: Bearer(bearer),
        })
    }

    /// A channel, once it stands.
    pub(super) async fn dial(&self) -> Result<Client, tonic::transport::Error> {
        let channel = match &self.socket {
            None => self.endpoint.connect().await?,
            Some(path) => {
                let path = path.clone();
                let connector = tower::service_fn(move |_: Uri| {
                    let path = path.clone();
                    async move { UnixStream::connect(path).await.map(TokioIo::new) }
                });
                self.endpoint.connect_with_connector(connector).await?
            }
        };
        let client = NodeClient::with_interceptor(channel, self.bearer.clone());
        Ok(client
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX))
    }
}
