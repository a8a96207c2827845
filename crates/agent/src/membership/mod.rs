//! The node's place in a cluster of several servers: its certificate, which it gets by a join token and renews by itself, and the
//! servers it has heard of.

mod join;
mod renew;
mod servers;

use std::sync::Arc;

use skep_trust::{Connector, Credentials, Identity, Tls, Token, TrustError, Wire};
use tokio::sync::Notify;

use crate::{AgentConfig, AgentError, ServerAddress, TlsFiles};

pub(crate) use servers::Servers;

/// The node's place in a cluster.
pub(crate) struct Membership {
    node_name: String,
    files: TlsFiles,
    join_token: Option<Token>,
    tls: Tls,
    wire: Wire,
    servers: Servers,
    /// A certificate of another CA is wanted.
    renew: Notify,
}

impl Membership {
    /// What the files say; `None` where the server is not reached over TLS.
    ///
    /// # Errors
    /// Where the files or the join token make no sense, or the files are another node's.
    pub(crate) fn open(config: &AgentConfig) -> Result<Option<Arc<Self>>, AgentError> {
        let ServerAddress::Tls {
            addresses,
            files,
            join_token,
        } = &config.server
        else {
            return Ok(None);
        };
        let membership = Self {
            node_name: config.node_name.clone(),
            files: files.clone(),
            join_token: join_token.as_deref().map(str::parse).transpose()?,
            tls: Tls::default(),
            wire: config.wire.clone(),
            servers: Servers::new(addresses, files.servers()),
            renew: Notify::new(),
        };
        if let Some(credentials) = Credentials::load(&files.dir)? {
            membership.check(&credentials)?;
            membership.tls.replace(credentials)?;
        }
        Ok(Some(Arc::new(membership)))
    }

    /// Connects with servers, by the credentials of the moment.
    pub(crate) fn connector(&self) -> Connector {
        Connector::new(self.tls.client_config()).over(&self.wire)
    }

    /// The servers to dial.
    pub(crate) fn servers(&self) -> &Servers {
        &self.servers
    }

    fn check(&self, credentials: &Credentials) -> Result<(), AgentError> {
        match credentials.identity() {
            Identity::Node { name } if *name == self.node_name => Ok(()),
            other => Err(AgentError::Config(format!(
                "this machine has joined as {other}, not as node {}: use that name, or remove {} to join anew",
                self.node_name,
                self.files.dir.display()
            ))),
        }
    }

    /// Keeps new credentials and uses them from now on.
    fn take(&self, credentials: Credentials) -> Result<(), TrustError> {
        credentials.save(&self.files.dir)?;
        self.tls.replace(credentials)
    }
}
