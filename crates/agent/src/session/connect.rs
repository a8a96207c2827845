//! A channel to a server: over a Unix socket, over HTTP with a token, or to one of several over mutual TLS.

use std::{path::PathBuf, sync::Arc, time::Duration};

use hyper_util::rt::TokioIo;
use skep_api::proto::node_client::NodeClient;
use skep_trust::Connector;
use tokio::net::UnixStream;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint, Uri},
};

use crate::{AgentError, ServerAddress, membership::Membership};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A server whose machine is gone is noticed after these two, and another one dialled.
const PING_EVERY: Duration = Duration::from_secs(10);
const PONG_WITHIN: Duration = Duration::from_secs(5);

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

/// How a server is reached.
#[derive(Clone)]
pub(super) struct Dialer {
    way: Way,
    bearer: Bearer,
}

#[derive(Clone)]
enum Way {
    Uri(Endpoint),
    Unix(Endpoint, PathBuf),
    Tls(Connector, Arc<Membership>),
}

/// Why there is no channel.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("no server is known: name one to dial")]
    NoServer,
    #[error("cannot reach {0}")]
    Connect(String, #[source] tonic::transport::Error),
}

impl Dialer {
    /// `membership` is there where the servers are reached over TLS.
    ///
    /// # Errors
    /// Where the address makes no sense.
    pub(super) fn new(
        address: &ServerAddress,
        membership: Option<&Arc<Membership>>,
    ) -> Result<Self, AgentError> {
        let (way, token) = match (address, membership) {
            (_, Some(membership)) => (Way::Tls(membership.connector(), Arc::clone(membership)), ""),
            (ServerAddress::Unix(path), _) => (Way::Unix(endpoint("http://localhost")?, path.clone()), ""),
            (ServerAddress::Uri { uri, token }, _) => (Way::Uri(endpoint(uri)?), token.as_str()),
            (ServerAddress::Tls { .. }, None) => {
                return Err(AgentError::Config(
                    "the node's certificate was not looked at".to_owned(),
                ));
            }
        };
        Ok(Self {
            way,
            bearer: bearer(token)?,
        })
    }

    /// The server that is dialled next.
    pub(super) fn target(&self) -> String {
        match &self.way {
            Way::Uri(endpoint) => endpoint.uri().to_string(),
            Way::Unix(_, path) => format!("unix://{}", path.display()),
            Way::Tls(_, membership) => membership.servers().current().unwrap_or_default(),
        }
    }

    /// How many servers there are to try.
    pub(super) fn targets(&self) -> usize {
        match &self.way {
            Way::Tls(_, membership) => membership.servers().len(),
            _ => 1,
        }
    }

    /// Another server is dialled next time, where there is one.
    pub(super) fn advance(&self) {
        if let Way::Tls(_, membership) = &self.way {
            membership.servers().advance();
        }
    }

    /// A channel, once it stands.
    pub(super) async fn dial(&self) -> Result<Client, DialError> {
        let failed = |error| DialError::Connect(self.target(), error);
        let channel = match &self.way {
            Way::Uri(endpoint) => endpoint.connect().await,
            Way::Unix(endpoint, path) => {
                let path = path.clone();
                let connector = tower::service_fn(move |_: Uri| {
                    let path = path.clone();
                    async move { UnixStream::connect(path).await.map(TokioIo::new) }
                });
                endpoint.connect_with_connector(connector).await
            }
            Way::Tls(connector, membership) => {
                let server = membership.servers().current().ok_or(DialError::NoServer)?;
                let endpoint = skep_trust::endpoint(&server).map_err(failed)?;
                let endpoint = endpoint
                    .http2_keep_alive_interval(PING_EVERY)
                    .keep_alive_timeout(PONG_WITHIN);
                endpoint.connect_with_connector(connector.clone()).await
            }
        };
        let client = NodeClient::with_interceptor(channel.map_err(failed)?, self.bearer.clone());
        Ok(client
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX))
    }
}

fn endpoint(uri: &str) -> Result<Endpoint, AgentError> {
    let endpoint = Endpoint::from_shared(uri.to_owned())
        .map_err(|error| AgentError::Config(format!("server address `{uri}`: {error}")))?;
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PONG_WITHIN))
}

fn bearer(token: &str) -> Result<Bearer, AgentError> {
    if token.is_empty() {
        return Ok(Bearer(None));
    }
    let text = format!("Bearer {token}").parse();
    let text = text.map_err(|_| AgentError::Config("the server's token is not plain text".to_owned()))?;
    Ok(Bearer(Some(text)))
}
