//! Credentials for an image's registry, from a pod's `imagePullSecrets`.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use skep_api::{DOCKER_CONFIG_JSON_SECRET, Secret};

use crate::runtime::Credentials;

/// The registry that images without a host in their name come from.
const DEFAULT_REGISTRY: &str = "docker.io";
const DEFAULT_REGISTRY_SERVER: &str = "https://index.docker.io/v1/";

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
}

#[derive(Deserialize)]
struct Auth {
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    /// `username:password` in base64.
    #[serde(default)]
    auth: String,
}

/// The user to pull `image` as. An entry that names more of the image's path wins, then the earlier secret; secrets of
/// another type and those that cannot be read are passed over.
pub fn pull_credentials(secrets: &[Arc<Secret>], image: &str) -> Option<Credentials> {
    let repository = repository(image);
    let mut best: Option<(usize, Credentials)> = None;
    for config in secrets.iter().filter_map(|secret| docker_config(secret)) {
        for (server, auth) in &config.auths {
            let pattern = registry(server);
            let better =
                matches(&pattern, &repository) && best.as_ref().is_none_or(|(len, _)| pattern.len() > *len);
            if let Some(credentials) = better.then(|| credentials(&repository, auth)).flatten() {
                best = Some((pattern.len(), credentials));
            }
        }
    }
    best.map(|(_, credentials)| credentials)
}

fn docker_config(secret: &Secret) -> Option<DockerConfig> {
    if secret.r#type != DOCKER_CONFIG_JSON_SECRET {
        return None;
    }
    let text = STANDARD.decode(secret.data.get(".dockerconfigjson")?).ok()?;
    serde_json::from_slice(&text).ok()
}

fn credentials(repository: &str, auth: &Auth) -> Option<Credentials> {
    let host = repository.split('/').next().unwrap_or_default();
    let server = if host == DEFAULT_REGISTRY {
        DEFAULT_REGISTRY_SERVER
    } else {
        host
    };
    let (username, password) = if auth.username.is_empty() {
        let text = String::from_utf8(STANDARD.decode(auth.auth.trim()).ok()?).ok()?;
        let (username, password) = text.split_once(':')?;
        (username.to_owned(), password.to_owned())
    } else {
        (auth.username.clone(), auth.password.clone())
    };
    Some(Credentials {
        server: server.to_owned(),
        username,
        password,
    })
}

/// `host/path` of an image, without tag and digest.
fn repository(image: &str) -> String {
    let name = image.split('@').next().unwrap_or_default();
    let last = name.rfind('/').map_or(0, |at| at + 1);
    let name = name[last..].find(':').map_or(name, |at| &name[..last + at]);
    match name.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => canonical(name),
        Some(_) => format!("{DEFAULT_REGISTRY}/{name}"),
        None => format!("{DEFAULT_REGISTRY}/library/{name}"),
    }
}

/// `host[/path]` of an entry's key, which may be a URL with an API version.
fn registry(server: &str) -> String {
    let server = server
        .strip_prefix("https://")
        .or_else(|| server.strip_prefix("http://"))
        .unwrap_or(server);
    let server = server.trim_end_matches('/');
    canonical(
        server
            .strip_suffix("/v1")
            .or_else(|| server.strip_suffix("/v2"))
            .unwrap_or(server),
    )
}

fn canonical(name: &str) -> String {
    match name
        .strip_prefix("index.docker.io")
        .or_else(|| name.strip_prefix("registry-1.docker.io"))
    {
        Some(path) => format!("{DEFAULT_REGISTRY}{path}"),
        None => name.to_owned(),
    }
}

/// Hosts are equal part by part, where `*` stands for any one part; the pattern's path leads the image's.
fn matches(pattern: &str, repository: &str) -> bool {
    let (wanted_host, wanted_path) = pattern.split_once('/').unwrap_or((pattern, ""));
    let (host, path) = repository.split_once('/').unwrap_or((repository, ""));
    let parts = |host: &str| host.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (wanted, have) = (parts(wanted_host), parts(host));
    let hosts = wanted.len() == have.len()
        && wanted
            .iter()
            .zip(&have)
            .all(|(want, have)| want == "*" || want == have);
    let leads = path
        .strip_prefix(wanted_path)
        .is_some_and(|rest| wanted_path.is_empty() || rest.is_empty() || rest.starts_with('/'));
    hosts && leads
}
