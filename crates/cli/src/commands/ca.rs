//! `skep ca` and `skep cert`: the CAs of the cluster, and certificates.

use std::{process::ExitCode, time::Duration};

use clap::{Args, Subcommand};
use skep_api::{
    Time,
    proto::{
        AuthorityInfo, CertStatusRequest, CertStatusResponse, RotateCaRequest, trust_client::TrustClient,
    },
};

use crate::{
    context::Context,
    duration,
    output::{self, Table},
};

/// What `skep ca` takes.
#[derive(Args, Debug)]
pub(crate) struct CaArgs {
    #[command(subcommand)]
    action: CaAction,
}

#[derive(Debug, Subcommand)]
enum CaAction {
    /// Put a new CA in place of the present one; both are trusted until the old one retires
    Rotate {
        /// How long the old CA stays trusted [default: until every machine has renewed its certificate]
        #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
        retire_after: Option<Duration>,
    },
}

/// What `skep cert` takes.
#[derive(Args, Debug)]
pub(crate) struct CertArgs {
    #[command(subcommand)]
    action: CertAction,
}

#[derive(Debug, Subcommand)]
enum CertAction {
    /// Show the CAs that are trusted, and the certificate of the server that answers
    Status,
}

/// Changes the cluster's CA.
///
/// # Errors
/// Where the server cannot be asked, or refuses.
pub(crate) async fn run(args: CaArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let CaAction::Rotate { retire_after } = args.action;
    let mut client = TrustClient::new(ctx.connection().await?);
    let request = RotateCaRequest {
        retire_after_seconds: retire_after.map(|after| after.as_secs()),
    };
    let authorities = client.rotate_ca(request).await?.into_inner().authorities;
    output::write(&table(&authorities, now()))?;
    output::write("Machines renew their certificates by themselves; tokens made before pin the old CA.\n")?;
    Ok(ExitCode::SUCCESS)
}

/// Shows CAs and certificates.
///
/// # Errors
/// Where the server cannot be asked.
pub(crate) async fn status(args: CertArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let CertAction::Status = args.action;
    let mut client = TrustClient::new(ctx.connection().await?);
    let status = client.cert_status(CertStatusRequest {}).await?.into_inner();
    output::write(&shown(&status, now()))?;
    Ok(ExitCode::SUCCESS)
}

fn now() -> Time {
    Time::from(jiff::Timestamp::now())
}

fn shown(status: &CertStatusResponse, now: Time) -> String {
    let mut text = table(&status.authorities, now);
    if let Some(server) = &status.server {
        let mut certificates = Table::new(["CERTIFICATE", "EXPIRES IN", "ISSUER", "SERIAL"]);
        certificates.push([
            server.subject.clone(),
            until(server.not_after_millis, now),
            short(&server.issuer_hash),
            server.serial.clone(),
        ]);
        text.push('\n');
        text.push_str(&certificates.render());
    }
    text
}

fn table(authorities: &[AuthorityInfo], now: Time) -> String {
    let mut table = Table::new(["CA", "STATUS", "EXPIRES IN", "RETIRES IN"]);
    for authority in authorities {
        let status = if authority.active { "Active" } else { "Retiring" };
        let retires = match authority.retires_millis {
            0 => "<none>".to_owned(),
            millis => until(millis, now),
        };
        table.push([
            short(&authority.hash),
            status.to_owned(),
            until(authority.not_after_millis, now),
            retires,
        ]);
    }
    table.render()
}

fn until(millis: i64, now: Time) -> String {
    let time = Time::from_millis(millis);
    if time <= now {
        "<expired>".to_owned()
    } else {
        duration::human(time.since(now))
    }
}

/// Enough of a hash to tell CAs apart.
fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use skep_api::proto::CertificateInfo;

    use super::*;

    #[test]
    fn the_status_shows_which_ca_signs_and_when_the_other_retires() {
        let authority = |hash: &str, active, retires_millis| AuthorityInfo {
            hash: hash.repeat(4),
            active,
            not_before_millis: 0,
            not_after_millis: 31_536_000_000,
            retires_millis,
        };
        let status = CertStatusResponse {
            authorities: vec![authority("new_", true, 0), authority("old_", false, 86_400_000)],
            server: Some(CertificateInfo {
                subject: "server 1 (alpha)".to_owned(),
                not_after_millis: 7_776_000_000,
                issuer_hash: "new_".repeat(4),
                serial: "4a".to_owned(),
                ..CertificateInfo::default()
            }),
        };
        expect![[r"
            CA             STATUS     EXPIRES IN   RETIRES IN
            new_new_new_   Active     365d         <none>
            old_old_old_   Retiring   365d         24h

            CERTIFICATE        EXPIRES IN   ISSUER         SERIAL
            server 1 (alpha)   90d          new_new_new_   4a
        "]]
        .assert_eq(&shown(&status, Time::from_secs(0)));
    }
}
