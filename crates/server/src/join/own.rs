//! This server's own certificate: it signs it itself, with the CA in the cluster's state.

use std::{sync::Arc, time::Duration};

use skep_api::Time;
use skep_trust::{
    Ca, CaHash, Certificate, Credentials, Identity, KeyPairFile, TrustError, Validity, renew_at,
};

use super::{authorities::Authorities, lifetimes::MACHINE_LIFETIME};
use crate::{clock::now, core::Core, failure::Failure, home::Home};

/// Changes of the state are looked at no more often: a state under load changes all the time.
const PAUSE: Duration = Duration::from_secs(1);

/// The clock is looked at anew after so long: it may be set, and the machine may sleep.
const LOOK_AGAIN: Duration = Duration::from_secs(600);

/// Names by which every server may be asked for on its own machine.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Follows the CA in the cluster's state, and renews this server's certificate in time, until the server ends.
pub(crate) async fn keep_credentials(core: Arc<Core>) {
    let Some(home) = core.home.clone() else {
        core.shutdown.cancelled().await;
        return;
    };
    let mut revisions = core.revisions();
    let random = rand::random();
    loop {
        revisions.borrow_and_update();
        let wait = match bring_up_to_date(&core, &home, random) {
            Ok(next) => next.since(now()).clamp(PAUSE, LOOK_AGAIN),
            Err(why) => {
                tracing::warn!(why, "the certificate of this server is not up to date");
                LOOK_AGAIN
            }
        };
        let changed = async {
            if revisions.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(PAUSE).await;
        };
        tokio::select! {
            () = changed => {}
            () = tokio::time::sleep(wait) => {}
            () = core.shutdown.cancelled() => return,
        }
    }
}

/// Replaces the certificate where it is due, or another CA signs now, or other CAs are trusted. Returns when to look again.
fn bring_up_to_date(core: &Core, home: &Home, random: f64) -> Result<Time, String> {
    let state = core.state();
    if state.revision() == 0 {
        // Nothing has come from the leader yet.
        return Ok(now().plus(LOOK_AGAIN));
    }
    let authorities = match Authorities::load(&state) {
        Ok(authorities) => authorities,
        // Not there yet, in a cluster that begins.
        Err(Failure::BadRequest(_)) => return Ok(now().plus(LOOK_AGAIN)),
        Err(failure) => return Err(tonic::Status::from(failure).message().to_owned()),
    };
    let bundle = authorities.trusted(now()).map_err(|failure| {
        let status = tonic::Status::from(failure);
        status.message().to_owned()
    })?;
    check_clock(home, &authorities.active)?;
    let member = home.member();
    let names = server_names(&member.name, &member.address);
    let due = home.tls.with_credentials(|own| {
        let certificate = own.certificate();
        let current = own.bundle() == &bundle
            // A server that has moved is asked for by another name.
            && certificate.covers(&names)
            && certificate.is_signed_by(authorities.active.certificate())
            // It is not where it was made while the clock was ahead.
            && certificate.validity.not_before <= now();
        current.then(|| renew_at(certificate.validity, random))
    });
    let retires = authorities.retiring.iter().map(|retiring| retiring.until);
    let retires = retires.filter(|until| *until > now()).min();
    let renew = match due.flatten() {
        Some(due) if due > now() => due,
        _ => {
            let validity = renew(home, &authorities.active, bundle).map_err(|error| error.to_string())?;
            renew_at(validity, random)
        }
    };
    Ok(retires.map_or(renew, |retires| retires.min(renew)))
}

/// By a clock that is far from right, nothing is renewed: the others would not take it.
fn check_clock(home: &Home, ca: &Ca) -> Result<(), String> {
    let clock = now();
    let own = home.tls.with_credentials(|own| own.certificate().validity);
    if own.is_some_and(|own| !own.holds_at(clock)) {
        tracing::warn!(%clock, "by this machine's clock its certificate is not valid: see whether the clock is right");
    }
    let valid = Certificate::from_der(ca.certificate().clone())
        .map_err(|error| error.to_string())?
        .validity;
    if valid.holds_at(clock) {
        return Ok(());
    }
    Err(format!(
        "by this machine's clock it is {clock}, and the CA is valid from {} to {}: set the clock right, \
         or have a new CA made with `skep ca rotate`",
        valid.not_before, valid.not_after
    ))
}

fn renew(home: &Home, ca: &Ca, bundle: skep_trust::Bundle) -> Result<Validity, TrustError> {
    let member = home.member();
    let identity = Identity::Server {
        id: member.id,
        name: member.name.clone(),
    };
    let key = KeyPairFile::generate();
    let names = server_names(&member.name, &member.address);
    let validity = Validity::from(now(), MACHINE_LIFETIME);
    let certificate = ca.issue(&key.csr(), &identity, &names, validity)?;
    let credentials = Credentials::new(key, &certificate, bundle)?;
    let validity = credentials.certificate().validity;
    credentials.save(&home.tls_folder())?;
    home.tls.replace(credentials)?;
    tracing::info!(until = %validity.not_after, ca = %CaHash::of(ca.certificate()), "has a new certificate");
    Ok(validity)
}

/// The names in a server's certificate, for clients that look at them: its own, that of its address, and those by which it
/// is asked for on its own machine. What cannot stand in a certificate is left out.
pub(crate) fn server_names(name: &str, address: &str) -> Vec<String> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut names = Vec::new();
    for name in [host, name].into_iter().chain(LOCAL_NAMES) {
        let fits = name.parse::<std::net::IpAddr>().is_ok() || skep_api::names::dns_subdomain(name).is_none();
        if fits && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_covers_what_it_was_issued_for_and_nothing_else() {
        let names = |address: &str| server_names("alpha", address);
        let identity = Identity::Server {
            id: 1,
            name: "alpha".to_owned(),
        };
        let csr = KeyPairFile::generate().csr();
        let validity = Validity::from(now(), MACHINE_LIFETIME);
        for address in ["10.0.0.1:7443", "Alpha.example:7443", "[fd00::1]:7443"] {
            let issued = Ca::create(now()).issue(&csr, &identity, &names(address), validity);
            let certificate = Certificate::from_pem(&issued.unwrap()).unwrap();
            assert!(certificate.covers(&names(address)), "{address}");
            assert!(!certificate.covers(&names("10.0.0.2:7443")), "{address}");
            assert!(!certificate.covers(&names("beta.example:7443")), "{address}");
        }
    }

    #[test]
    fn the_names_of_a_server_are_its_own_that_of_its_address_and_the_local_ones() {
        assert_eq!(
            server_names("alpha", "10.0.0.1:7443"),
            ["10.0.0.1", "alpha", "localhost", "127.0.0.1", "::1"]
        );
        assert_eq!(
            server_names("not a name", "[::1]:7443"),
            ["::1", "localhost", "127.0.0.1"]
        );
    }
}
