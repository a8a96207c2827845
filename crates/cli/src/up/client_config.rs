//! The cluster's entry in the client's config file.

use std::path::Path;

use crate::config::Config;

/// What cluster, user and context are called.
const NAME: &str = "skep";

/// The context that reaches the new cluster.
pub(super) struct Written {
    /// Its name.
    pub(super) context: String,
    /// False where the config file already has another context that is used where none is named.
    pub(super) current: bool,
}

/// Adds the cluster to the config file; says what to do where that fails, which is no reason not to run.
pub(super) fn write(path: &Path, socket: &Path, token: &str) -> Option<Written> {
    match merge(path, socket, token) {
        Ok(written) => Some(written),
        Err(error) => {
            let address = server_address(socket);
            tracing::warn!("the client's config is not written: {error:#}; use `skep --server {address}`");
            None
        }
    }
}

fn merge(path: &Path, socket: &Path, token: &str) -> anyhow::Result<Written> {
    let before = Config::load(path)?.unwrap_or_default();
    let mut config = before.clone();
    let server = server_address(socket);
    // A certificate for a cluster of several servers is not given up for this one.
    let name = config.name_for(NAME, |cluster, user| {
        cluster.server == server || user.client_certificate_data.is_empty()
    });
    config.set_cluster(&name, &server, token);
    if config != before {
        config.save(path)?;
    }
    Ok(Written {
        current: config.current_context == name,
        context: name,
    })
}

fn server_address(socket: &Path) -> String {
    format!("unix://{}", socket.display())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn a_new_config_reaches_the_cluster() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/config");
        let written = merge(&path, Path::new("/data/skep.sock"), "secret").unwrap();
        assert!(written.current);
        let config = Config::load(&path).unwrap().unwrap();
        assert_eq!(config.cluster(NAME).unwrap().server, "unix:///data/skep.sock");
        assert_eq!(config.user(NAME).unwrap().token, "secret");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn other_clusters_stay_and_keep_being_current() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        let mut other = Config::default();
        other.set_cluster("elsewhere", "unix:///elsewhere.sock", "");
        other.save(&path).unwrap();
        let written = merge(&path, Path::new("/data/skep.sock"), "secret").unwrap();
        assert!(!written.current);
        let config = Config::load(&path).unwrap().unwrap();
        assert_eq!(config.current_context, "elsewhere");
        assert!(config.cluster("elsewhere").is_some() && config.cluster(NAME).is_some());
    }

    #[test]
    fn a_broken_config_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        fs::write(&path, "clusters: 7\n").unwrap();
        assert!(write(&path, Path::new("/data/skep.sock"), "secret").is_none());
        assert_eq!(fs::read_to_string(&path).unwrap(), "clusters: 7\n");
    }
}
