//! `skep config renew`: a new certificate for the person who works with this config.

use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use skep_api::proto::{IssueUserRequest, RenewResponse, trust_client::TrustClient};
use skep_trust::{Bundle, Certificate, Identity, KeyPairFile};

use crate::{
    config::{Config, ContextEntry},
    context::Context,
    duration, output,
    target::credentials,
};

/// Has the cluster issue a certificate for the user of the context, with a new key, and puts it and the CAs of the cluster
/// into the config.
///
/// # Errors
/// Where the context shows no certificate, the server cannot be asked or refuses, or the config cannot be written.
pub(super) async fn run(ctx: &Context) -> anyhow::Result<()> {
    let told = renew(ctx).await?.context(
        "the context shows no certificate that could be renewed: `skep server --init` on the first server writes one",
    )?;
    output::write(&told)
}

/// The same; what came of it, in a sentence, or `None` where the context shows no certificate.
///
/// # Errors
/// Where the server cannot be asked or refuses, or the config cannot be written.
pub(crate) async fn renew(ctx: &Context) -> anyhow::Result<Option<String>> {
    let mut config = ctx.config();
    let Some(context) = chosen(&config, ctx) else {
        return Ok(None);
    };
    let (cluster, user) = (config.cluster(&context.cluster), config.user(&context.user));
    let (Some(cluster), Some(user)) = (cluster, user) else {
        return Ok(None);
    };
    if user.client_certificate_data.is_empty() {
        return Ok(None);
    }
    let present = credentials(cluster, user)?;
    let Identity::User { name, groups } = present.identity().clone() else {
        bail!("the certificate in the config is a machine's, which renews it by itself");
    };
    let key = KeyPairFile::generate();
    let request = IssueUserRequest {
        csr_pem: key.csr(),
        name: name.clone(),
        groups,
        lifetime_seconds: 0,
    };
    let issued = TrustClient::new(ctx.connection().await?)
        .issue_user(request)
        .await?
        .into_inner();
    // Without --server, it was the config's own cluster that answered.
    if ctx.globals().server.is_some() && !descends(&issued, present.bundle())? {
        bail!("the server that was asked is of another cluster than the context: choose one with --context");
    }
    let (mut cluster, mut user) = (cluster.clone(), user.clone());
    cluster.certificate_authority_data = STANDARD.encode(&issued.ca_bundle_pem);
    user.client_certificate_data = STANDARD.encode(&issued.certificate_pem);
    user.client_key_data = STANDARD.encode(key.pem().as_bytes());
    let certificate = credentials(&cluster, &user)?.certificate().validity;
    config.replace_cluster(&context.cluster, cluster);
    config.replace_user(&context.user, user);
    config.save(ctx.config_path())?;
    let now = skep_api::Time::from(jiff::Timestamp::now());
    Ok(Some(format!(
        "The certificate of {name} in {} is renewed: it is valid for {}.\n",
        ctx.config_path().display(),
        duration::human(certificate.not_after.since(now))
    )))
}

/// True where a CA that was trusted has signed the certificate, or a CA that leads to it.
fn descends(issued: &RenewResponse, trusted: &Bundle) -> anyhow::Result<bool> {
    for der in Bundle::from_pem(&issued.certificate_pem)?.certificates() {
        let certificate = Certificate::from_der(der.clone())?;
        if trusted
            .certificates()
            .iter()
            .any(|ca| certificate.is_signed_by(ca))
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn chosen(config: &Config, ctx: &Context) -> Option<ContextEntry> {
    let name = ctx.globals().context.as_ref().unwrap_or(&config.current_context);
    config.context(name).cloned()
}

#[cfg(test)]
mod tests {
    use skep_api::Time;
    use skep_trust::{Ca, Validity};

    use super::*;

    #[test]
    fn a_certificate_of_another_cluster_is_not_taken() {
        let now = Time::from(jiff::Timestamp::now());
        let (first, other) = (Ca::create(now), Ca::create(now));
        let second = first.successor(now).unwrap();
        let issued = |ca: &Ca| {
            let validity = Validity::from(now, std::time::Duration::from_secs(3600));
            let csr = KeyPairFile::generate().csr();
            RenewResponse {
                certificate_pem: ca.issue(&csr, &Identity::admin("a"), &[], validity).unwrap(),
                ..RenewResponse::default()
            }
        };
        assert!(descends(&issued(&first), &first.bundle()).unwrap());
        assert!(
            descends(&issued(&second), &first.bundle()).unwrap(),
            "the old CA signed the new one"
        );
        assert!(!descends(&issued(&other), &first.bundle()).unwrap());
    }
}
