//! A server and an agent in one process: what is prepared before they start, and how they end together.

pub(crate) mod checks;
mod client_config;
mod greeting;
pub(crate) mod listen;
pub(crate) mod logging;
pub(crate) mod notify;
pub(crate) mod parts;
mod token;

use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use skep_agent::{AgentConfig, ServerAddress};
use skep_server::ServerConfig;

use crate::commands::up::UpArgs;

/// Runs server and agent until a signal ends them; writes the client's config once the server answers.
///
/// # Errors
/// Where the data folder cannot be used, the server does not start, or a part ends unexpectedly.
pub(crate) async fn run(args: &UpArgs, config_path: &Path) -> anyhow::Result<()> {
    logging::start(&args.log_level)?;
    args.node.check()?;
    let data_dir = data_dir(&args.data_dir)?;
    let token = token::load_or_make(&data_dir.join("token"))?;
    let agent = agent_config(args, &data_dir);
    checks::warn_of_missing_rights(&args.docker_host);
    let parts = parts::Parts::start(server_config(args, &data_dir, &token), agent.clone());
    parts
        .watch(async |ready| {
            let context = client_config::write(config_path, &ready.socket, &token);
            greeting::print(ready, &agent, context.as_ref());
            notify::ready();
        })
        .await
}

/// The data folder with its path from the root, made where it is missing.
///
/// # Errors
/// Where it cannot be made or written to.
pub(crate) fn data_dir(path: &Path) -> anyhow::Result<PathBuf> {
    let refused = || {
        let hint = "run as root (`sudo skep up`) or choose another with --data-dir";
        format!("cannot use the data folder {}: {hint}", path.display())
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(refused)?;
    let path = path.canonicalize().with_context(refused)?;
    tempfile::tempfile_in(&path).with_context(refused)?;
    Ok(path)
}

fn server_config(args: &UpArgs, data_dir: &Path, token: &str) -> ServerConfig {
    let mut config = ServerConfig {
        data_dir: data_dir.join("server"),
        socket: data_dir.join("skep.sock"),
        listen: args.address(),
        token: token.to_owned(),
        pod_cidr: args.pod_cidr.clone(),
        ..ServerConfig::new("")
    };
    args.policy.apply(&mut config);
    config
}

fn agent_config(args: &UpArgs, data_dir: &Path) -> AgentConfig {
    let mut config = AgentConfig {
        data_dir: data_dir.join("agent"),
        server: ServerAddress::Unix(data_dir.join("skep.sock")),
        docker_host: args.docker_host.clone(),
        ..AgentConfig::default()
    };
    args.node.apply(&mut config);
    config
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_data_folder_is_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let made = data_dir(&folder.path().join("a/b")).unwrap();
        assert_eq!(made.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert!(made.is_absolute());
    }

    #[test]
    fn a_data_folder_that_cannot_be_says_what_to_do() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = data_dir(&file.path().join("below")).unwrap_err().to_string();
        assert!(error.contains("--data-dir"), "{error}");
    }
}
