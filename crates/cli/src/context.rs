//! What a command works with: the server it asks, the namespace it works in, and the flags of every command.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{anyhow, bail};
use hyper_util::rt::TokioIo;
use skep_api::proto::cluster_client::ClusterClient;
use tokio::{net::UnixStream, sync::OnceCell};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint, Uri},
};

use crate::{cli::Globals, config::Config};

/// Largest answer that is taken, in bytes.
const MESSAGE_BYTES_MAX: usize = 256 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The client of a server; cheap to clone.
pub(crate) type Client = ClusterClient<InterceptedService<Channel, Authorization>>;

/// What a command works with. Connects when the client is first asked for.
#[derive(Debug)]
pub(crate) struct Context {
    globals: Globals,
    config_path: PathBuf,
    config: Option<Config>,
    namespace: String,
    client: OnceCell<Client>,
}

impl Context {
    /// Reads the config file.
    ///
    /// # Errors
    /// Where there is one that cannot be read, or `--context` names none of its contexts.
    pub(crate) fn new(globals: Globals) -> anyhow::Result<Self> {
        let config_path = globals.config.clone().unwrap_or_else(Config::default_path);
        let config = Config::load(&config_path)?;
        let mut context = Self {
            globals,
            config_path,
            config,
            namespace: String::new(),
            client: OnceCell::new(),
        };
        context.namespace = context.choose_namespace()?;
        Ok(context)
    }

    /// The connected client.
    ///
    /// # Errors
    /// Where no cluster is configured or the server is out of reach.
    pub(crate) async fn client(&self) -> anyhow::Result<Client> {
        self.client.get_or_try_init(|| self.connect()).await.cloned()
    }

    /// The namespace to work in: `--namespace`, else the context's, else `default`.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// True where `--namespace` was given.
    pub(crate) fn namespace_is_given(&self) -> bool {
        self.globals.namespace.is_some()
    }

    /// The flags of every command.
    pub(crate) fn globals(&self) -> &Globals {
        &self.globals
    }

    /// The config file, whether it is there or not.
    pub(crate) fn config_path(&self) -> &Path {
        &self.config_path
    }

    /// What the config file says; the empty config where there is none.
    pub(crate) fn config(&self) -> Config {
        self.config.clone().unwrap_or_default()
    }

    /// True where standard output is a terminal that wants colour (no `NO_COLOR`, no `--no-color`, no `TERM=dumb`).
    pub(crate) fn color(&self) -> bool {
        let refused =
            |name| std::env::var_os(name).is_some_and(|value: std::ffi::OsString| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        !self.globals.no_color && !refused("NO_COLOR") && !dumb && std::io::stdout().is_terminal()
    }

    fn choose_namespace(&self) -> anyhow::Result<String> {
        if let Some(namespace) = &self.globals.namespace {
            return Ok(namespace.clone());
        }
        let config = self.config.as_ref();
        let namespace = match (&self.globals.context, config) {
            (Some(name), _) => self.named_context(name)?.namespace,
            (None, Some(config)) => {
                config
                    .context(&config.current_context)
                    .cloned()
                    .unwrap_or_default()
                    .namespace
            }
            (None, None) => String::new(),
        };
        Ok(if namespace.is_empty() {
            "default".to_owned()
        } else {
            namespace
        })
    }

    fn named_context(&self, name: &str) -> anyhow::Result<crate::config::ContextEntry> {
        let context = self
            .config
            .as_ref()
            .and_then(|config| config.context(name))
            .cloned();
        context.ok_or_else(|| {
            anyhow!(
                "context \"{name}\" does not exist in {}",
                self.config_path.display()
            )
        })
    }

    /// The server's address and the bearer token for it (empty: none).
    fn server(&self) -> anyhow::Result<(String, String)> {
        let config = self.config();
        let name = self.globals.context.as_ref().unwrap_or(&config.current_context);
        let context = config.context(name).cloned().unwrap_or_default();
        let token = config
            .user(&context.user)
            .map(|user| user.token.clone())
            .unwrap_or_default();
        if let Some(server) = &self.globals.server {
            // A token belongs to the server it was written down for, and goes to no other.
            let known = config
                .cluster(&context.cluster)
                .is_some_and(|cluster| cluster.server == *server);
            return Ok((server.clone(), if known { token } else { String::new() }));
        }
        if config.contexts.is_empty() {
            bail!("no cluster is configured: run `skep up` on this machine first, or name one with --server");
        }
        if name.is_empty() {
            bail!("no context is chosen: choose one with `skep config use-context NAME`");
        }
        if config.context(name).is_none() {
            bail!(
                "context \"{name}\" does not exist in {}",
                self.config_path.display()
            );
        }
        match config.cluster(&context.cluster) {
            Some(cluster) if !cluster.server.is_empty() => Ok((cluster.server.clone(), token)),
            _ => bail!(
                "context \"{name}\" names the cluster \"{}\", which has no server",
                context.cluster
            ),
        }
    }

    async fn connect(&self) -> anyhow::Result<Client> {
        let (server, token) = self.server()?;
        let authorization = Authorization::bearer(&token)?;
        let channel = self.channel(&server).await?;
        Ok(ClusterClient::with_interceptor(channel, authorization)
            .max_decoding_message_size(MESSAGE_BYTES_MAX))
    }

    async fn channel(&self, server: &str) -> anyhow::Result<Channel> {
        let unix = server.strip_prefix("unix://").map(ToOwned::to_owned);
        let uri = if unix.is_some() {
            "http://localhost"
        } else {
            server
        };
        if unix.is_none() && !server.starts_with("http://") {
            bail!("`{server}` is no address of a server: write unix:///PATH or http://HOST:PORT");
        }
        let mut endpoint = Endpoint::from_shared(uri.to_owned())
            .map_err(|_| {
                anyhow!("`{server}` is no address of a server: write unix:///PATH or http://HOST:PORT")
            })?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_while_idle(true);
        if !self.globals.request_timeout.is_zero() {
            endpoint = endpoint.timeout(self.globals.request_timeout);
        }
        let connected = match unix {
            Some(path) => {
                endpoint
                    .connect_with_connector(tower::service_fn(move |_: Uri| dial(path.clone())))
                    .await
            }
            None => endpoint.connect().await,
        };
        connected.map_err(|error| {
            let cause = crate::errors::innermost(&error).to_string();
            anyhow!("cannot reach the server at {server}: is `skep up` running? ({cause})")
        })
    }
}

async fn dial(path: String) -> std::io::Result<TokioIo<UnixStream>> {
    UnixStream::connect(path).await.map(TokioIo::new)
}

/// Puts the bearer token on every call.
#[derive(Clone, Debug)]
pub(crate) struct Authorization(Option<MetadataValue<Ascii>>);

impl Authorization {
    fn bearer(token: &str) -> anyhow::Result<Self> {
        if token.is_empty() {
            return Ok(Self(None));
        }
        let mut value: MetadataValue<Ascii> = format!("Bearer {token}")
            .parse()
            .map_err(|_| anyhow!("the config's token is not plain text"))?;
        value.set_sensitive(true);
        Ok(Self(Some(value)))
    }
}

impl Interceptor for Authorization {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}
