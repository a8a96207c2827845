//! The administrator's entry in the client's config file, written by the first server of a cluster.

use std::{path::Path, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use skep_api::proto::{IssueUserRequest, RenewResponse, trust_client::TrustClient};
use skep_trust::{ADMINS, KeyPairFile};

use crate::{
    config::{ClusterEntry, Config, UserEntry},
    target::{Target, authorities, credentials},
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
        Ok(Some(context)) => {
            tracing::info!(
                config = %path.display(),
                context,
                "wrote the administrator's config: `skep` works with this cluster now"
            );
        }
        Ok(None) => {}
        Err(error) => tracing::warn!(
            "the administrator's config is not written: {error:#}; on this machine, use `skep --server unix://{}`",
            socket.display()
        ),
    }
}

/// The context that was written; `None` where there is one for the cluster.
async fn add(path: &Path, socket: &Path) -> anyhow::Result<Option<String>> {
    let mut config = Config::load(path)?.unwrap_or_default();
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
        return Ok(None);
    }
    let key = KeyPairFile::generate();
    let request = IssueUserRequest {
        csr_pem: key.csr(),
        name: USER.to_owned(),
        groups: vec![ADMINS.to_owned()],
        lifetime_seconds: 0,
    };
    let issued = trust.issue_user(request).await?.into_inner();
    let (cluster, user) = entries(&issued, &key);
    // What is for another cluster stays.
    let name = config.name_for(NAME, |cluster, user| {
        user.client_certificate_data.is_empty() && user.token.is_empty() || is_of(cluster, &hashes)
    });
    config.set_entries(&name, cluster, user);
    name.clone_into(&mut config.current_context);
    config.save(path)?;
    Ok(Some(name))
}

/// True where a context is for a cluster with one of these CAs, and has a certificate that holds for a while.
fn has_certificate(config: &Config, hashes: &[String]) -> bool {
    let soon = skep_api::Time::from(jiff::Timestamp::now()).plus(RENEW_BEFORE);
    config.contexts.iter().any(|named| {
        let cluster = config.cluster(&named.context.cluster);
        let user = config.user(&named.context.user);
        let (Some(cluster), Some(user)) = (cluster, user) else {
            return false;
        };
        is_of(cluster, hashes)
            && credentials(cluster, user)
                .is_ok_and(|credentials| credentials.certificate().validity.holds_at(soon))
    })
}

/// True for a cluster with one of these CAs.
fn is_of(cluster: &ClusterEntry, hashes: &[String]) -> bool {
    authorities(cluster).is_ok_and(|bundle| bundle.hashes().any(|hash| hashes.contains(&hash.to_string())))
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

#[cfg(test)]
mod tests {
    use skep_api::Time;
    use skep_trust::{Ca, Identity, Validity};

    use super::*;

    fn now() -> Time {
        Time::from(jiff::Timestamp::now())
    }

    fn issued_by(ca: &Ca, key: &KeyPairFile, life: Duration) -> RenewResponse {
        let validity = Validity::from(now(), life);
        RenewResponse {
            certificate_pem: ca
                .issue(&key.csr(), &Identity::admin(USER), &[], validity)
                .unwrap(),
            ca_bundle_pem: ca.bundle().to_pem(),
            servers: vec!["a:7443".to_owned()],
        }
    }

    #[test]
    fn a_config_has_a_certificate_of_its_own_cluster_that_holds_for_a_while() {
        let (own, other, key) = (Ca::create(now()), Ca::create(now()), KeyPairFile::generate());
        let config = |life| {
            let mut config = Config::default();
            let (cluster, user) = entries(&issued_by(&own, &key, life), &key);
            config.set_entries("mine", cluster, user);
            config
        };
        let long = config(RENEW_BEFORE * 2);
        assert!(has_certificate(&long, &[own.hash().to_string()]));
        assert!(!has_certificate(&long, &[other.hash().to_string()]));
        assert!(!has_certificate(
            &config(RENEW_BEFORE / 2),
            &[own.hash().to_string()]
        ));
    }

    #[test]
    fn the_entries_of_another_cluster_are_not_replaced() {
        let (own, other, key) = (Ca::create(now()), Ca::create(now()), KeyPairFile::generate());
        let mut config = Config::default();
        let (cluster, user) = entries(&issued_by(&own, &key, RENEW_BEFORE * 2), &key);
        config.set_entries(NAME, cluster, user);
        let name = |ca: &Ca| config.name_for(NAME, |cluster, _| is_of(cluster, &[ca.hash().to_string()]));
        assert_eq!(name(&own), "skep");
        assert_eq!(name(&other), "skep-2");
    }
}
