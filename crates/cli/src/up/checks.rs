//! What a person should know before anything fails: rights and the engine.

use std::{io, os::unix::net::UnixStream};

const USUAL_SOCKET: &str = "/var/run/docker.sock";

/// Warns where this process is not root, and where no Docker engine answers. Neither ends it: the agent tries again.
pub(crate) fn warn_of_missing_rights(docker_host: &Option<String>) {
    if !nix::unistd::geteuid().is_root() {
        tracing::warn!(
            "not running as root: secrets in memory and file owners of volumes may fail; `sudo skep up` has all rights"
        );
    }
    let host = docker_host
        .clone()
        .or_else(|| std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty()));
    if let Some(warning) = engine_warning(&host.unwrap_or_else(|| format!("unix://{USUAL_SOCKET}"))) {
        tracing::warn!("{warning}");
    }
}

/// Why the engine cannot be used, and what to do; `None` where it answers, or is not on a socket of this machine.
fn engine_warning(host: &str) -> Option<String> {
    let path = host.strip_prefix("unix://").unwrap_or(host);
    if path.contains("://") {
        return None;
    }
    let error = UnixStream::connect(path).err()?;
    let what_to_do = match error.kind() {
        io::ErrorKind::PermissionDenied => "run `sudo skep up`, or as a user in the group docker",
        io::ErrorKind::NotFound => "install Docker, or name the engine with --docker-host",
        _ => "start it (`systemctl start docker`), or name another with --docker-host",
    };
    Some(format!(
        "no Docker engine answers on {path} ({error}): {what_to_do}; skep serves and keeps trying"
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn an_engine_that_is_not_there_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker.sock");
        let host = format!("unix://{}", path.display());
        assert!(engine_warning(&host).unwrap().contains("install Docker"));
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(engine_warning(&host), None);
        drop(listener);
        assert!(engine_warning(&host).unwrap().contains("systemctl start docker"));
        assert_eq!(engine_warning("tcp://192.0.2.1:2375"), None);
    }
}
