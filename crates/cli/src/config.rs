//! The client's config file: which clusters there are and how to reach them, in the shape of a kubeconfig.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::{manifests, output};

/// The whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct Config {
    /// `v1`.
    #[serde(rename = "apiVersion")]
    pub(crate) api_version: String,
    /// `Config`.
    pub(crate) kind: String,
    /// Where clusters are.
    pub(crate) clusters: Vec<NamedCluster>,
    /// Who to be.
    pub(crate) users: Vec<NamedUser>,
    /// A cluster, a user and a namespace under one name.
    pub(crate) contexts: Vec<NamedContext>,
    /// The context used when none is named; may be empty.
    pub(crate) current_context: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            api_version: "v1".to_owned(),
            kind: "Config".to_owned(),
            clusters: Vec::new(),
            users: Vec::new(),
            contexts: Vec::new(),
            current_context: String::new(),
        }
    }
}

/// A cluster by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct NamedCluster {
    /// What contexts call it.
    pub(crate) name: String,
    /// Where it is.
    #[serde(default)]
    pub(crate) cluster: ClusterEntry,
}

/// Where a cluster is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ClusterEntry {
    /// `unix:///PATH`, `http://HOST:PORT` or `https://HOST:PORT`.
    #[serde(default)]
    pub(crate) server: String,
    /// More servers of the cluster, `https://HOST:PORT`, for when the first one does not answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) other_servers: Vec<String>,
    /// The CAs to trust: PEM in base64.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) certificate_authority_data: String,
}

/// A user by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct NamedUser {
    /// What contexts call it.
    pub(crate) name: String,
    /// How the user is known.
    #[serde(default)]
    pub(crate) user: UserEntry,
}

/// How a user is known to a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct UserEntry {
    /// Bearer token; empty sends none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) token: String,
    /// The user's certificate: PEM in base64.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) client_certificate_data: String,
    /// The key of that certificate: PEM in base64.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) client_key_data: String,
}

/// A context by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct NamedContext {
    /// What `--context` takes.
    pub(crate) name: String,
    /// What it stands for.
    #[serde(default)]
    pub(crate) context: ContextEntry,
}

/// A cluster, a user and a namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ContextEntry {
    /// Name of a cluster.
    #[serde(default)]
    pub(crate) cluster: String,
    /// Name of a user; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) user: String,
    /// Namespace to work in; empty is `default`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) namespace: String,
}

impl ClusterEntry {
    /// Puts other servers in place; the first one stays first while it is among them. False where nothing changes.
    pub(crate) fn set_servers(&mut self, mut servers: Vec<String>) -> bool {
        servers.sort_by_key(|server| *server != self.server);
        let before = (self.server.clone(), self.other_servers.clone());
        let mut servers = servers.into_iter();
        if let Some(first) = servers.next() {
            self.server = first;
            self.other_servers = servers.collect();
        }
        before != (self.server.clone(), self.other_servers.clone())
    }
}

impl Config {
    /// The file that is used where none is named: `~/.skep/config`.
    pub(crate) fn default_path() -> PathBuf {
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
        home.map_or_else(|| PathBuf::from("/root"), PathBuf::from)
            .join(".skep/config")
    }

    /// Reads a config file; `None` where there is none.
    ///
    /// # Errors
    /// Where it cannot be read or is no config.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Option<Self>> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        if text.trim().is_empty() {
            return Ok(None);
        }
        let document = manifests::parse_one(&path.display().to_string(), &text)?;
        let config: Self = serde_json::from_value(document)
            .with_context(|| format!("{} is not a config file; move it away or mend it", path.display()))?;
        Ok(Some(config))
    }

    /// Writes the file whole or not at all, readable by its owner only. Missing folders are made.
    ///
    /// # Errors
    /// Where the folder or the file cannot be written.
    pub(crate) fn save(&self, path: &Path) -> anyhow::Result<()> {
        self.write(path)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    fn write(&self, path: &Path) -> anyhow::Result<()> {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.as_file()
            .set_permissions(fs::Permissions::from_mode(0o600))?;
        file.write_all(output::yaml(self)?.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }

    /// The context of this name.
    pub(crate) fn context(&self, name: &str) -> Option<&ContextEntry> {
        self.contexts
            .iter()
            .find(|named| named.name == name)
            .map(|named| &named.context)
    }

    /// The cluster of this name, to be changed.
    pub(crate) fn cluster_mut(&mut self, name: &str) -> Option<&mut ClusterEntry> {
        let mut clusters = self.clusters.iter_mut();
        clusters
            .find(|named| named.name == name)
            .map(|named| &mut named.cluster)
    }

    /// The cluster of this name.
    pub(crate) fn cluster(&self, name: &str) -> Option<&ClusterEntry> {
        self.clusters
            .iter()
            .find(|named| named.name == name)
            .map(|named| &named.cluster)
    }

    /// Puts another entry in place of a cluster's.
    pub(crate) fn replace_cluster(&mut self, name: &str, entry: ClusterEntry) {
        if let Some(cluster) = self.cluster_mut(name) {
            *cluster = entry;
        }
    }

    /// Puts another entry in place of a user's.
    pub(crate) fn replace_user(&mut self, name: &str, entry: UserEntry) {
        let mut users = self.users.iter_mut();
        if let Some(named) = users.find(|named| named.name == name) {
            named.user = entry;
        }
    }

    /// The user of this name.
    pub(crate) fn user(&self, name: &str) -> Option<&UserEntry> {
        self.users
            .iter()
            .find(|named| named.name == name)
            .map(|named| &named.user)
    }

    /// The name for the entries of a cluster: `base`, or `base-2` and so on where that names another one. `may_replace` says
    /// whether what is there may go.
    pub(crate) fn name_for(
        &self,
        base: &str,
        may_replace: impl Fn(&ClusterEntry, &UserEntry) -> bool,
    ) -> String {
        let free = |name: &String| {
            let (cluster, user) = (self.cluster(name), self.user(name));
            let known = cluster.is_some() || user.is_some() || self.context(name).is_some();
            !known
                || may_replace(
                    cluster.unwrap_or(&ClusterEntry::default()),
                    user.unwrap_or(&UserEntry::default()),
                )
        };
        let numbered = (2..).map(|number| format!("{base}-{number}"));
        std::iter::once(base.to_owned())
            .chain(numbered)
            .find(free)
            .expect("a file has an end, and numbers have none")
    }

    /// Adds or replaces cluster, user and context of one name. It becomes the current context where none was.
    pub(crate) fn set_cluster(&mut self, name: &str, server: &str, token: &str) {
        let cluster = ClusterEntry {
            server: server.to_owned(),
            ..ClusterEntry::default()
        };
        let user = UserEntry {
            token: token.to_owned(),
            ..UserEntry::default()
        };
        self.set_entries(name, cluster, user);
    }

    /// As [`Self::set_cluster`], with all there is to say of cluster and user.
    pub(crate) fn set_entries(&mut self, name: &str, cluster: ClusterEntry, user: UserEntry) {
        self.clusters.retain(|named| named.name != name);
        self.users.retain(|named| named.name != name);
        self.clusters.push(NamedCluster {
            name: name.to_owned(),
            cluster,
        });
        self.users.push(NamedUser {
            name: name.to_owned(),
            user,
        });
        let context = self.context_mut(name);
        (context.cluster, context.user) = (name.to_owned(), name.to_owned());
        if self.current_context.is_empty() {
            name.clone_into(&mut self.current_context);
        }
    }

    /// The context of this name, made where there is none.
    pub(crate) fn context_mut(&mut self, name: &str) -> &mut ContextEntry {
        let index = self
            .contexts
            .iter()
            .position(|named| named.name == name)
            .unwrap_or_else(|| {
                self.contexts.push(NamedContext {
                    name: name.to_owned(),
                    context: ContextEntry::default(),
                });
                self.contexts.len() - 1
            });
        &mut self.contexts[index].context
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn local() -> Config {
        let mut config = Config::default();
        config.set_cluster("local", "unix:///run/skep.sock", "s3cret");
        config
    }

    #[test]
    fn the_server_that_is_used_stays_first_while_it_is_there() {
        let mut cluster = ClusterEntry {
            server: "https://b".into(),
            ..ClusterEntry::default()
        };
        assert!(cluster.set_servers(vec!["https://a".into(), "https://b".into()]));
        assert_eq!(
            (cluster.server.as_str(), cluster.other_servers.len()),
            ("https://b", 1)
        );
        assert!(!cluster.set_servers(vec!["https://a".into(), "https://b".into()]));
        assert!(cluster.set_servers(vec!["https://a".into()]));
        assert_eq!(
            (cluster.server.as_str(), cluster.other_servers.len()),
            ("https://a", 0)
        );
    }

    #[test]
    fn a_config_reads_like_a_kubeconfig() {
        expect![[r#"
            apiVersion: v1
            clusters:
            - cluster:
                server: unix:///run/skep.sock
              name: local
            contexts:
            - context:
                cluster: local
                user: local
              name: local
            current-context: local
            kind: Config
            users:
            - name: local
              user:
                token: s3cret
        "#]]
        .assert_eq(&output::yaml(&local()).unwrap());
    }

    #[test]
    fn what_is_saved_is_loaded_and_only_the_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/config");
        assert_eq!(Config::load(&path).unwrap(), None);
        local().save(&path).unwrap();
        assert_eq!(Config::load(&path).unwrap(), Some(local()));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }

    #[test]
    fn a_cluster_set_again_is_replaced_and_keeps_its_namespace() {
        let mut config = local();
        config.context_mut("local").namespace = "shop".into();
        config.set_cluster("other", "http://127.0.0.1:7443", "");
        config.set_cluster("local", "unix:///run/new.sock", "new");
        assert_eq!(config.clusters.len(), 2);
        assert_eq!(config.users.len(), 2);
        assert_eq!(config.current_context, "local");
        assert_eq!(config.cluster("local").unwrap().server, "unix:///run/new.sock");
        assert_eq!(config.context("local").unwrap().namespace, "shop");
    }

    #[test]
    fn a_file_that_is_no_config_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        for text in ["a: [", "clusters: 3", "[1]"] {
            fs::write(&path, text).unwrap();
            let error = format!("{:#}", Config::load(&path).unwrap_err());
            assert!(error.contains(&path.display().to_string()), "{error}");
        }
    }
}
