//! The administrator's entry in the client's config file, written by the first server of a cluster.

use std::{path::Path, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use skep_api::proto::{IssueUserRequest, RenewResponse, trust_client::TrustClient};
use skep_trust::{ADMINS, KeyPairFile};

use crate::{
    config::{ClusterEntry, Config, UserEntry},
    target::{Target, credentials},
};

/// What cluster, user and context are called.
const NAME: &str = "skep";

/// The user in the certificate.
const USER: &str = "admin";

/// A certificate that ends sooner is replaced.
const RENEW_BEFORE: Duration = Duration::from_secs(30 * 24 * 3600);

/// Writes the config where it has no certificate for the cluster yet; a failure is said, and no reason not to run.
pub(super) async fn write(path: &Path, socket: &Path) {
    match add(path, socket).await {
        Ok(true) => {
            tracing::info!(config = %path.display(), context = NAME, "wrote the administrator's config");
        }
        Ok(false) => {}
        Err(error) => tracing::warn!(
            "the administrator's config is not written: {error:#}; on this machine, use `skep --server unix://{}`",
            socket.display()
        ),
    }
}

async fn add(path: &Path, socket: &Path) -> anyhow::Result<bool> {
    let mut config = Config::load(path)?.unwrap_or_default();
    let key = KeyPairFile::generate();
    let channel = Target::socket(socket).channel(Duration::from_secs(30)).await?;
    let mut trust = TrustClient::new(channel);
    let status = trust
        .cert_status(skep_api::proto::CertStatusRequest {})
        .await?
        .into_inner();
    let hashes: Vec<String> = status
        .authorities
        .into_iter()
        .map(|authority| authority.hash)
        .collect();
    if has_certificate(&config, &hashes) {
        return Ok(false);
    }
    let request = IssueUserRequest {
        csr_pem: key.csr(),
        name: USER.to_owned(),
        groups: vec![ADMINS.to_owned()],
        lifetime_seconds: 0,
    };
    let issued = trust.issue_user(request).await?.into_inner();
    let (cluster, user) = entries(&issued, &key);
    config.set_entries(NAME, cluster, user);
    config.save(path)?;
    Ok(true)
}

/// True where the context is for a cluster with one of these CAs, and has a certificate that holds for a while.
fn has_certificate(config: &Config, hashes: &[String]) -> bool {
    let (Some(cluster), Some(user)) = (config.cluster(NAME), config.user(NAME)) else {
        return false;
    };
    let Ok(credentials) = credentials(cluster, user) else {
        return false;
    };
    let soon = skep_api::Time::from(jiff::Timestamp::now()).plus(RENEW_BEFORE);
    let known = credentials
        .bundle()
        .hashes()
        .any(|hash| hashes.contains(&hash.to_string()));
    known && credentials.certificate().validity.holds_at(soon)
}

fn entries(issued: &RenewResponse, key: &KeyPairFile) -> (ClusterEntry, UserEntry) {
    let mut servers = issued.servers.iter().map(|server| format!("https://{server}"));
    let cluster = ClusterEntry {
        server: servers.next().unwrap_or_default(),
        other_servers: servers.collect(),
        certificate_authority_data: STANDARD.encode(&issued.ca_bundle_pem),
    };
    let user = UserEntry {
        token: String::new(),
        client_certificate_data: STANDARD.encode(&issued.certificate_pem),
        client_key_data: STANDARD.encode(key.pem().as_bytes()),
    };
    (cluster, user)
}
