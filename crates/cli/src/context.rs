//! What a command works with: the server it asks, the namespace it works in, and the flags of every command.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
};

use anyhow::{anyhow, bail};
use skep_api::proto::cluster_client::ClusterClient;
use tokio::sync::OnceCell;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

use crate::{
    cli::Globals,
    config::{ClusterEntry, Config, UserEntry},
    target::Target,
};

/// Largest answer that is taken, in bytes.
const MESSAGE_BYTES_MAX: usize = 256 << 20;

/// A connection to a server; cheap to clone.
pub(crate) type Connection = InterceptedService<Channel, Authorization>;

/// The client of a server; cheap to clone.
pub(crate) type Client = ClusterClient<Connection>;

/// What a command works with. Connects when the client is first asked for.
#[derive(Debug)]
pub(crate) struct Context {
    globals: Globals,
    config_path: PathBuf,
    config: Option<Config>,
    namespace: String,
    connection: OnceCell<Connection>,
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
            connection: OnceCell::new(),
        };
        context.namespace = context.choose_namespace()?;
        Ok(context)
    }

    /// How long one answer is waited for; `None` for ever.
    pub(crate) fn request_timeout(&self) -> Option<std::time::Duration> {
        Some(self.globals.request_timeout).filter(|timeout| !timeout.is_zero())
    }

    /// The connected client.
    ///
    /// # Errors
    /// Where no cluster is configured or the server is out of reach.
    pub(crate) async fn client(&self) -> anyhow::Result<Client> {
        let client = ClusterClient::new(self.connection().await?);
        Ok(client.max_decoding_message_size(MESSAGE_BYTES_MAX))
    }

    /// The connection itself, for the other services.
    ///
    /// # Errors
    /// As for [`Self::client`].
    pub(crate) async fn connection(&self) -> anyhow::Result<Connection> {
        self.connection.get_or_try_init(|| self.connect()).await.cloned()
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

    /// Writes the servers of the cluster that was asked into the config, where it is reached with TLS and they have
    /// changed. The one that is first there stays first while it is one of them.
    ///
    /// # Errors
    /// Where the config cannot be written.
    pub(crate) fn remember_servers(&self, servers: Vec<String>) -> anyhow::Result<()> {
        let mut config = self.config();
        let name = self
            .globals
            .context
            .clone()
            .unwrap_or_else(|| config.current_context.clone());
        let cluster_name = config
            .context(&name)
            .map(|context| context.cluster.clone())
            .unwrap_or_default();
        let given = self.globals.server.is_some();
        let Some(cluster) = config
            .cluster_mut(&cluster_name)
            .filter(|cluster| cluster.server.starts_with("https://"))
        else {
            return Ok(());
        };
        if given || servers.is_empty() || !cluster.set_servers(servers) {
            return Ok(());
        }
        config.save(&self.config_path)
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

    /// Where to go and what to show there.
    fn target(&self) -> anyhow::Result<Target> {
        let config = self.config();
        let name = self.globals.context.as_ref().unwrap_or(&config.current_context);
        let context = config.context(name).cloned().unwrap_or_default();
        let user = config.user(&context.user).cloned().unwrap_or_default();
        let cluster = config.cluster(&context.cluster).cloned().unwrap_or_default();
        if let Some(server) = &self.globals.server {
            // What proves who we are belongs to the servers that it was written down for, and goes to no other.
            let known = cluster.server == *server || cluster.other_servers.contains(server);
            return if known {
                Target::new(std::slice::from_ref(server), &cluster, &user)
            } else {
                Target::new(
                    std::slice::from_ref(server),
                    &ClusterEntry::default(),
                    &UserEntry::default(),
                )
            };
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
        if cluster.server.is_empty() {
            bail!(
                "context \"{name}\" names the cluster \"{}\", which has no server",
                context.cluster
            );
        }
        let servers: Vec<String> = std::iter::once(&cluster.server)
            .chain(&cluster.other_servers)
            .cloned()
            .collect();
        Target::new(&servers, &cluster, &user)
    }

    async fn connect(&self) -> anyhow::Result<Connection> {
        let target = self.target()?;
        let authorization = Authorization::bearer(&target.token)?;
        let channel = target.channel(self.globals.request_timeout).await?;
        Ok(InterceptedService::new(channel, authorization))
    }
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
