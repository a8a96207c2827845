//! `skep create secret`: generic ones, those for image registries and certificates.

use std::fs;

use anyhow::{Context as _, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use skep_api::DOCKER_CONFIG_JSON_SECRET;

use super::data::DataArgs;

const DOCKER_CONFIG_KEY: &str = ".dockerconfigjson";
const PEM_BEGIN: &[u8] = b"-----BEGIN";

/// What `skep create secret` takes.
#[derive(Debug, Subcommand)]
pub(super) enum SecretArgs {
    /// A secret from texts and files
    Generic {
        #[command(flatten)]
        data: DataArgs,
        /// What the data is for
        #[arg(long = "type", value_name = "TYPE")]
        r#type: Option<String>,
    },
    /// Credentials for an image registry
    DockerRegistry(RegistryArgs),
    /// A certificate and its key
    Tls(TlsArgs),
}

/// A certificate and its key.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct TlsArgs {
    /// Its name
    name: String,
    /// The file of the certificate, in PEM
    #[arg(long, value_name = "FILE")]
    cert: String,
    /// The file of its private key, in PEM
    #[arg(long, value_name = "FILE")]
    key: String,
}

/// Credentials for an image registry.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct RegistryArgs {
    /// Its name
    name: String,
    /// The registry
    #[arg(long, value_name = "HOST", default_value = "https://index.docker.io/v1/")]
    docker_server: String,
    /// The user's name
    #[arg(long, value_name = "NAME", required_unless_present = "from_file")]
    docker_username: Option<String>,
    /// The user's password
    #[arg(long, value_name = "PASSWORD", required_unless_present = "from_file")]
    docker_password: Option<String>,
    /// The user's address
    #[arg(long, value_name = "EMAIL")]
    docker_email: Option<String>,
    /// A Docker config file to take instead, such as .dockerconfigjson=config.json
    #[arg(long, value_name = "[KEY=]FILE", conflicts_with_all = ["docker_username", "docker_password", "docker_email"])]
    from_file: Option<String>,
}

impl SecretArgs {
    /// The secret.
    ///
    /// # Errors
    /// Where a file cannot be read, or a key is malformed or given twice.
    pub(super) fn document(&self) -> anyhow::Result<Value> {
        match self {
            Self::Generic { data, r#type } => {
                let encoded: Map<_, _> = data
                    .read()?
                    .into_iter()
                    .map(|(key, bytes)| (key, STANDARD.encode(bytes).into()))
                    .collect();
                let mut document =
                    json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": data.name } });
                if !encoded.is_empty() {
                    document["data"] = encoded.into();
                }
                if let Some(kind) = r#type {
                    document["type"] = kind.as_str().into();
                }
                Ok(document)
            }
            Self::DockerRegistry(registry) => registry.document(),
            Self::Tls(tls) => tls.document(),
        }
    }
}

impl TlsArgs {
    fn document(&self) -> anyhow::Result<Value> {
        let pem = |file: &str| {
            let bytes = fs::read(file).with_context(|| format!("cannot read {file}"))?;
            if !bytes.windows(PEM_BEGIN.len()).any(|window| window == PEM_BEGIN) {
                bail!("{file} is not in PEM: it has no line that begins with -----BEGIN");
            }
            Ok(STANDARD.encode(bytes))
        };
        Ok(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": self.name },
            "type": "kubernetes.io/tls",
            "data": { "tls.crt": pem(&self.cert)?, "tls.key": pem(&self.key)? },
        }))
    }
}

impl RegistryArgs {
    fn document(&self) -> anyhow::Result<Value> {
        let config = match &self.from_file {
            Some(file) => {
                let file = file.rsplit_once('=').map_or(file.as_str(), |(_, file)| file);
                let source = format!("{DOCKER_CONFIG_KEY}={file}");
                let data = DataArgs {
                    from_file: vec![source],
                    ..DataArgs::default()
                };
                data.read()?.remove(DOCKER_CONFIG_KEY).unwrap_or_default()
            }
            None => self.config().to_string().into_bytes(),
        };
        Ok(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": self.name },
            "type": DOCKER_CONFIG_JSON_SECRET,
            "data": { DOCKER_CONFIG_KEY: STANDARD.encode(config) },
        }))
    }

    fn config(&self) -> Value {
        let username = self.docker_username.as_deref().unwrap_or_default();
        let password = self.docker_password.as_deref().unwrap_or_default();
        let auth = STANDARD.encode(format!("{username}:{password}"));
        let mut login = json!({ "username": username, "password": password, "auth": auth });
        if let Some(email) = &self.docker_email {
            login["email"] = email.as_str().into();
        }
        json!({ "auths": { self.docker_server.as_str(): login } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generic_data_is_in_base64() {
        let data = DataArgs {
            name: "db".into(),
            from_literal: vec!["password=s3cret".into()],
            ..DataArgs::default()
        };
        let document = SecretArgs::Generic {
            data,
            r#type: Some("example.com/login".into()),
        }
        .document()
        .unwrap();
        assert_eq!(document["data"], json!({ "password": "czNjcmV0" }));
        assert_eq!(document["type"], "example.com/login");
    }

    #[test]
    fn a_certificate_and_its_key_make_a_tls_secret() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let tls = TlsArgs {
            name: "web".into(),
            cert: file("crt", "-----BEGIN CERTIFICATE-----\n"),
            key: file("key", "-----BEGIN PRIVATE KEY-----\n"),
        };
        let document = SecretArgs::Tls(tls.clone()).document().unwrap();
        assert_eq!(document["type"], "kubernetes.io/tls");
        let crt = STANDARD
            .decode(document["data"]["tls.crt"].as_str().unwrap())
            .unwrap();
        assert_eq!(crt, b"-----BEGIN CERTIFICATE-----\n");
        let no_key = TlsArgs {
            key: file("other", "secret"),
            ..tls
        };
        let error = SecretArgs::Tls(no_key).document().unwrap_err().to_string();
        assert!(error.contains("is not in PEM"), "{error}");
    }

    #[test]
    fn a_registry_secret_holds_a_docker_config() {
        let registry = RegistryArgs {
            name: "pull".into(),
            docker_server: "registry.local:5000".into(),
            docker_username: Some("me".into()),
            docker_password: Some("pw".into()),
            ..RegistryArgs::default()
        };
        let document = SecretArgs::DockerRegistry(registry).document().unwrap();
        assert_eq!(document["type"], "kubernetes.io/dockerconfigjson");
        let config = STANDARD
            .decode(document["data"][".dockerconfigjson"].as_str().unwrap())
            .unwrap();
        let config: Value = serde_json::from_slice(&config).unwrap();
        let login = json!({ "username": "me", "password": "pw", "auth": "bWU6cHc=" });
        assert_eq!(config, json!({ "auths": { "registry.local:5000": login } }));
    }
}
