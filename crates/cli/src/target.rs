//! The servers of a cluster, and how one of them is reached: over a Unix socket, plainly on loopback, or with TLS.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper_util::rt::TokioIo;
use skep_trust::{Bundle, Connection, Connector, Credentials, KeyPairFile, Tls};
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};

use crate::{
    config::{ClusterEntry, UserEntry},
    errors::innermost,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one of several servers may take before the next is tried.
const ONE_WITHIN: Duration = Duration::from_secs(3);

const HOW_TO_WRITE: &str = "write unix:///PATH, http://HOST:PORT or https://HOST:PORT";

/// Where to go and what to show there.
#[derive(Debug)]
pub(crate) struct Target {
    /// The bearer token; empty for none.
    pub(crate) token: String,
    servers: Servers,
    /// Of a daemon on this machine that the command says itself what to do about.
    on_the_spot: bool,
}

#[derive(Debug)]
enum Servers {
    Unix(PathBuf),
    Plain(String),
    /// `host:port` of each, and what is shown there.
    Tls(Vec<String>, Tls),
}

impl Target {
    /// The servers, with what the config says of cluster and user.
    ///
    /// # Errors
    /// Where an address is none, or what is needed for TLS is missing or cannot be read.
    pub(crate) fn new(servers: &[String], cluster: &ClusterEntry, user: &UserEntry) -> anyhow::Result<Self> {
        let first = servers.first().map(String::as_str).unwrap_or_default();
        let servers = if let Some(path) = first.strip_prefix("unix://") {
            Servers::Unix(path.into())
        } else if first.starts_with("http://") {
            Servers::Plain(first.to_owned())
        } else if first.starts_with("https://") {
            let addresses = servers
                .iter()
                .filter_map(|server| server.strip_prefix("https://"));
            let addresses = addresses.map(|address| address.trim_end_matches('/').to_owned());
            Servers::Tls(addresses.collect(), tls(first, cluster, user)?)
        } else {
            bail!("`{first}` is no address of a server: {HOW_TO_WRITE}");
        };
        Ok(Self {
            token: user.token.clone(),
            servers,
            on_the_spot: false,
        })
    }

    /// The Unix socket of a server on this machine.
    pub(crate) fn socket(path: impl Into<PathBuf>) -> Self {
        Self {
            token: String::new(),
            servers: Servers::Unix(path.into()),
            on_the_spot: true,
        }
    }

    /// A channel to the first server that answers. It finds another one by itself where that one goes away. Answers are
    /// waited for as long as `timeout`, for ever where it is zero.
    ///
    /// # Errors
    /// Where none answers.
    pub(crate) async fn channel(&self, timeout: Duration) -> anyhow::Result<Channel> {
        let uri = match &self.servers {
            Servers::Plain(uri) => uri,
            _ => "http://localhost",
        };
        let mut endpoint = Endpoint::from_shared(uri.to_owned())
            .map_err(|_| anyhow!("`{uri}` is no address of a server: {HOW_TO_WRITE}"))?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_while_idle(true);
        if !timeout.is_zero() {
            endpoint = endpoint.timeout(timeout);
        }
        let connected = match &self.servers {
            Servers::Plain(_) => endpoint.connect().await,
            Servers::Unix(path) => {
                let path = path.clone();
                let dial = move |_: Uri| {
                    let path = path.clone();
                    async move { UnixStream::connect(path).await.map(TokioIo::new) }
                };
                endpoint.connect_with_connector(tower::service_fn(dial)).await
            }
            Servers::Tls(addresses, tls) => {
                let any = Arc::new(Any {
                    addresses: addresses.clone(),
                    tls: tls.clone(),
                    last_good: AtomicUsize::new(0),
                });
                let dial = move |_: Uri| {
                    let any = any.clone();
                    async move { any.dial().await.map(TokioIo::new) }
                };
                let within = ONE_WITHIN * u32::try_from(addresses.len()).unwrap_or(1) + ONE_WITHIN;
                let endpoint = endpoint.connect_timeout(within.max(CONNECT_TIMEOUT));
                endpoint.connect_with_connector(tower::service_fn(dial)).await
            }
        };
        connected.map_err(|error| {
            let cause = innermost(&error).to_string();
            let (name, hint) = (self.name(), self.hint());
            if self.on_the_spot {
                return anyhow!("nobody answers on {name} ({cause})");
            }
            anyhow!("cannot reach the server at {name}: {hint} ({cause})")
        })
    }

    fn name(&self) -> String {
        match &self.servers {
            Servers::Unix(path) => format!("unix://{}", path.display()),
            Servers::Plain(uri) => uri.clone(),
            Servers::Tls(addresses, _) => addresses.join(", "),
        }
    }

    fn hint(&self) -> &'static str {
        match &self.servers {
            Servers::Tls(..) => "is `skep server` running there?",
            _ => "is `skep up` running?",
        }
    }
}

/// Any of several servers: the one that answered last is tried first.
struct Any {
    addresses: Vec<String>,
    tls: Tls,
    last_good: AtomicUsize,
}

impl Any {
    async fn dial(&self) -> io::Result<Connection> {
        let connector = Connector::new(self.tls.client_config());
        let (count, first) = (self.addresses.len(), self.last_good.load(Relaxed));
        let mut failures = Vec::new();
        for index in (first..first + count).map(|index| index % count.max(1)) {
            let address = &self.addresses[index];
            match tokio::time::timeout(ONE_WITHIN, connector.connect(address)).await {
                Ok(Ok(stream)) => {
                    self.last_good.store(index, Relaxed);
                    return Ok(stream);
                }
                Ok(Err(error)) => failures.push(format!("{address}: {error}")),
                Err(_) => failures.push(format!("{address}: no answer")),
            }
        }
        Err(io::Error::other(failures.join("; ")))
    }
}

/// What is shown to servers, and which of them are trusted.
fn tls(server: &str, cluster: &ClusterEntry, user: &UserEntry) -> anyhow::Result<Tls> {
    if cluster.certificate_authority_data.is_empty() || user.client_certificate_data.is_empty() {
        bail!(
            "{server} is reached with a client certificate, and the config has none for it: \
             use a context with certificate-authority-data, client-certificate-data and client-key-data"
        );
    }
    Ok(Tls::new(credentials(cluster, user)?)?)
}

/// What the config says of key, certificate and CAs.
///
/// # Errors
/// Where something is missing or cannot be read.
pub(crate) fn credentials(cluster: &ClusterEntry, user: &UserEntry) -> anyhow::Result<Credentials> {
    let key = KeyPairFile::from_pem(&decoded("client-key-data", &user.client_key_data)?)?;
    let certificate = decoded("client-certificate-data", &user.client_certificate_data)?;
    Ok(Credentials::new(key, &certificate, authorities(cluster)?)?)
}

/// The CAs of a cluster, as the config says.
///
/// # Errors
/// Where they are missing or cannot be read.
pub(crate) fn authorities(cluster: &ClusterEntry) -> anyhow::Result<Bundle> {
    let bundle = decoded("certificate-authority-data", &cluster.certificate_authority_data)?;
    Ok(Bundle::from_pem(&bundle)?)
}

fn decoded(field: &str, data: &str) -> anyhow::Result<String> {
    let bytes = STANDARD.decode(data.trim());
    let bytes = bytes.with_context(|| format!("the config's {field} is not base64"))?;
    String::from_utf8(bytes).with_context(|| format!("the config's {field} is not PEM in base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(server: &str) -> String {
        let none = (ClusterEntry::default(), UserEntry::default());
        Target::new(&[server.to_owned()], &none.0, &none.1)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn an_address_of_no_kind_says_how_to_write_one() {
        assert!(refused("somewhere:1").contains("https://HOST:PORT"));
    }

    #[test]
    fn without_a_certificate_no_server_is_asked() {
        assert!(refused("https://a:7443").contains("client-certificate-data"));
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_says_what_to_look_at() {
        let nowhere = "unix:///nowhere/skep.sock".to_owned();
        let target = Target::new(&[nowhere], &ClusterEntry::default(), &UserEntry::default()).unwrap();
        let error = target.channel(Duration::ZERO).await.unwrap_err().to_string();
        assert!(
            error.contains("unix:///nowhere/skep.sock: is `skep up` running?"),
            "{error}"
        );
    }
}
