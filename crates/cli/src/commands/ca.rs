//! `skep ca` and `skep cert`: the CAs of the cluster, and certificates.

use std::{process::ExitCode, time::Duration};

use clap::{Args, Subcommand};
use skep_api::{
    Time,
    proto::{
        AuthorityInfo, CertStatusRequest, CertStatusResponse, MachineCertificate, MachineKind,
        RotateCaRequest, trust_client::TrustClient,
    },
};

use crate::{
    commands::config::renew::renew,
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
        /// How long the old CA stays trusted [default: 90d, the life of a certificate]
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
    /// Show the CAs that are trusted, and the certificate of every server and node: until when it is valid, and which CA signed it
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
    output::write(
        "Machines renew their certificates by themselves. Join tokens made before are good until the old CA retires.\n",
    )?;
    match renew(ctx).await {
        Ok(told) => output::write(&told.unwrap_or_default())?,
        Err(error) => eprintln!(
            "warning: the certificate in this config is of the old CA still, which retires: {error:#}; try `skep config renew`"
        ),
    }
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
    let mut machines = Table::new(["MACHINE", "KIND", "EXPIRES IN", "CA", "CA STATUS", "SERIAL"]);
    for machine in &status.machines {
        machines.push(row(machine, &status.authorities, now));
    }
    text.push('\n');
    text.push_str(&machines.render());
    text.push_str(&summary(status));
    text
}

fn row(machine: &MachineCertificate, authorities: &[AuthorityInfo], now: Time) -> [String; 6] {
    let kind = match machine.kind() {
        MachineKind::Server => "server",
        MachineKind::Node => "node",
        MachineKind::Unspecified => "",
    };
    let (name, unknown) = (machine.name.clone(), || "<unknown>".to_owned());
    let Some(certificate) = &machine.certificate else {
        return [
            name,
            kind.to_owned(),
            unknown(),
            unknown(),
            machine.unknown.clone(),
            String::new(),
        ];
    };
    [
        name,
        kind.to_owned(),
        until(certificate.not_after_millis, now),
        short(&certificate.issuer_hash),
        standing(&certificate.issuer_hash, authorities).to_owned(),
        certificate.serial.clone(),
    ]
}

/// How a CA stands that has signed something.
fn standing(hash: &str, authorities: &[AuthorityInfo]) -> &'static str {
    match authorities.iter().find(|authority| authority.hash == hash) {
        Some(authority) if authority.active => "Active",
        Some(_) => "Retiring",
        None => "Retired",
    }
}

/// Whether an old CA may go, in a sentence.
fn summary(status: &CertStatusResponse) -> String {
    let issuers = status.machines.iter().map(|machine| {
        let certificate = machine.certificate.as_ref();
        certificate.map(|certificate| standing(&certificate.issuer_hash, &status.authorities))
    });
    let issuers: Vec<_> = issuers.collect();
    let old = issuers
        .iter()
        .flatten()
        .filter(|standing| **standing != "Active")
        .count();
    let unknown = issuers.iter().filter(|standing| standing.is_none()).count();
    let retires = status.authorities.iter().any(|authority| !authority.active);
    match (old, unknown) {
        (0, 0) if retires => "\nEvery machine has a certificate of the active CA.\n".to_owned(),
        (0, _) => String::new(),
        (old, _) => format!(
            "\n{old} of {} machines still have a certificate of an old CA; they renew it once they are up and connected.\n",
            issuers.len()
        ),
    }
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
        let certificate = |issuer: &str| CertificateInfo {
            not_after_millis: 7_776_000_000,
            issuer_hash: issuer.repeat(4),
            serial: "4a".to_owned(),
            ..CertificateInfo::default()
        };
        let machine = |kind: MachineKind, name: &str, issuer: Option<&str>| MachineCertificate {
            kind: kind.into(),
            name: name.to_owned(),
            certificate: issuer.map(certificate),
            unknown: issuer.map_or("it does not answer", |_| "").to_owned(),
        };
        let mut status = CertStatusResponse {
            authorities: vec![authority("new_", true, 0), authority("old_", false, 86_400_000)],
            server: Some(certificate("new_")),
            machines: vec![
                machine(MachineKind::Server, "alpha", Some("new_")),
                machine(MachineKind::Server, "beta", None),
                machine(MachineKind::Node, "n1", Some("old_")),
                machine(MachineKind::Node, "n2", Some("gone")),
            ],
        };
        expect![[r"
            CA             STATUS     EXPIRES IN   RETIRES IN
            new_new_new_   Active     365d         <none>
            old_old_old_   Retiring   365d         24h

            MACHINE   KIND     EXPIRES IN   CA             CA STATUS            SERIAL
            alpha     server   90d          new_new_new_   Active               4a
            beta      server   <unknown>    <unknown>      it does not answer   
            n1        node     90d          old_old_old_   Retiring             4a
            n2        node     90d          gonegonegone   Retired              4a

            2 of 4 machines still have a certificate of an old CA; they renew it once they are up and connected.
        "]]
        .assert_eq(&shown(&status, Time::from_secs(0)));
        status.machines.truncate(1);
        let text = shown(&status, Time::from_secs(0));
        assert!(
            text.ends_with("\nEvery machine has a certificate of the active CA.\n"),
            "{text}"
        );
    }
}
