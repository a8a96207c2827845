//! Which certificate every machine of the cluster holds: servers say it themselves, a node's stands on its object.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use skep_api::{
    Node, ObjectKey, Time,
    proto::{CertificateInfo, CertificateRequest, MachineCertificate, MachineKind, peer_client::PeerClient},
};
use skep_state::{Change, Refusal};
use skep_store::Member;
use skep_trust::{CaHash, Certificate, Credentials, Identity};

use super::{ATTEMPTS, authorities::Authorities};
use crate::{core::Core, failure::Failure};

/// On a node: the certificate that it showed last, or was given since.
pub(crate) const CERTIFICATE_ANNOTATION: &str = "skep.io/certificate";

/// How long another server may take to say what it holds.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// The certificate of a node, as it stands in the annotation.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Held {
    /// Hash of the CA that signed it.
    issuer: String,
    not_before: Time,
    not_after: Time,
    serial: String,
}

impl Held {
    fn of(certificate: &Certificate, issuer: Option<CaHash>) -> Self {
        Self {
            issuer: issuer.map_or_else(String::new, |issuer| issuer.to_string()),
            not_before: certificate.validity.not_before,
            not_after: certificate.validity.not_after,
            serial: certificate.serial.clone(),
        }
    }

    fn annotation(&self) -> String {
        serde_json::to_string(self).expect("plain JSON")
    }

    fn info(self, subject: String) -> CertificateInfo {
        CertificateInfo {
            subject,
            not_before_millis: self.not_before.as_millis(),
            not_after_millis: self.not_after.as_millis(),
            issuer_hash: self.issuer,
            serial: self.serial,
        }
    }
}

/// What to write on a node that shows this certificate; `None` on a machine of its own, and where it was given a newer
/// one since it connected.
pub(crate) fn shown_by_node(core: &Core, node: &str, certificate: &Certificate) -> Option<String> {
    let home = core.home.as_ref()?;
    let state = core.state();
    let noted = state.get::<Node>(&ObjectKey::cluster(node)).and_then(noted);
    let is_newer = |noted: &Held| {
        noted.not_before >= certificate.validity.not_before && noted.serial != certificate.serial
    };
    if noted.as_ref().is_some_and(is_newer) {
        return None;
    }
    let held = home
        .tls
        .with_credentials(|own| Held::of(certificate, issuer(own, certificate)));
    held.map(|held| held.annotation())
}

/// Notes on a node's object which certificate it was given. There may be no such node yet: it says so itself then.
///
/// # Errors
/// Where the state cannot be read or written.
pub(super) async fn note_given(
    core: &Core,
    node: &str,
    certificate_pem: &str,
    authorities: &Authorities,
) -> Result<(), Failure> {
    let Ok(certificate) = Certificate::from_pem(certificate_pem) else {
        return Ok(());
    };
    let held = Held::of(&certificate, Some(authorities.active.hash())).annotation();
    for _ in 0..ATTEMPTS {
        let state = core.read(false).await?;
        let Some(stored) = state.get::<Node>(&ObjectKey::cluster(node)) else {
            return Ok(());
        };
        let mut noted = stored.clone();
        let annotations = &mut noted.metadata.annotations;
        annotations.insert(CERTIFICATE_ANNOTATION.to_owned(), held.clone());
        let outcomes = core.propose("", vec![Change::update(noted)]).await?;
        match outcomes.into_iter().find_map(Result::err) {
            None => return Ok(()),
            Some(Refusal::Conflict { .. } | Refusal::NotFound { .. }) => {}
            Some(refusal) => return Err(refusal.into()),
        }
    }
    let message = "the node keeps changing: its new certificate shows once it connects again";
    Err(Failure::Unavailable(message.to_owned()))
}

/// The certificate that this server holds; `None` for one on a machine of its own.
pub(crate) fn own(core: &Core) -> Option<CertificateInfo> {
    let home = core.home.as_ref()?;
    home.tls.with_credentials(|own| {
        let certificate = own.certificate();
        Held::of(certificate, issuer(own, certificate)).info(own.identity().to_string())
    })
}

fn issuer(own: &Credentials, certificate: &Certificate) -> Option<CaHash> {
    let cas = own.bundle().certificates();
    let issuer = cas.iter().find(|ca| certificate.is_signed_by(ca));
    issuer.map(CaHash::of)
}

/// Those of all servers and nodes.
///
/// # Errors
/// Where the nodes cannot be read.
pub(super) async fn all(core: &Arc<Core>) -> Result<Vec<MachineCertificate>, Failure> {
    let state = core.read(false).await?;
    let members = core.store.peers().borrow().clone();
    let mut all = join_all(members.iter().map(|member| of_server(core, member))).await;
    all.extend(state.list::<Node>(None).map(of_node));
    Ok(all)
}

async fn of_server(core: &Core, member: &Member) -> MachineCertificate {
    let certificate = if member.id == core.store.server_id() {
        own(core).ok_or_else(|| "this server has no certificate".to_owned())
    } else {
        ask(core, member).await
    };
    machine(MachineKind::Server, member.name.clone(), certificate)
}

async fn ask(core: &Core, member: &Member) -> Result<CertificateInfo, String> {
    let peers = core.peers.as_ref().ok_or("this server is alone")?;
    let mut peer = PeerClient::new(peers.calls(&member.address)?);
    let asked = peer.certificate(CertificateRequest { id: member.id });
    match tokio::time::timeout(ANSWER_WITHIN, asked).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(status.message().to_owned()),
        Err(_) => Err("it does not answer".to_owned()),
    }
}

fn of_node(node: &Node) -> MachineCertificate {
    let name = &node.metadata.name;
    let subject = Identity::Node { name: name.clone() }.to_string();
    let unknown = || "it has not shown one yet".to_owned();
    let certificate = noted(node).map(|held| held.info(subject)).ok_or_else(unknown);
    machine(MachineKind::Node, name.clone(), certificate)
}

fn noted(node: &Node) -> Option<Held> {
    let noted = node.metadata.annotations.get(CERTIFICATE_ANNOTATION)?;
    serde_json::from_str(noted).ok()
}

fn machine(
    kind: MachineKind,
    name: String,
    certificate: Result<CertificateInfo, String>,
) -> MachineCertificate {
    let (certificate, unknown) = match certificate {
        Ok(certificate) => (Some(certificate), String::new()),
        Err(why) => (None, why),
    };
    MachineCertificate {
        kind: kind.into(),
        name,
        certificate,
        unknown,
    }
}

#[cfg(test)]
mod tests {
    use skep_testkit::node;

    use super::*;

    #[test]
    fn what_stands_on_a_node_is_read_again_and_what_makes_no_sense_is_unknown() {
        let held = Held {
            issuer: "ab".to_owned(),
            not_before: Time::from_secs(1),
            not_after: Time::from_secs(2),
            serial: "4a".to_owned(),
        };
        let noted = node("a").annotation(CERTIFICATE_ANNOTATION, &held.annotation());
        let told = of_node(&noted.build()).certificate.unwrap();
        assert_eq!((told.issuer_hash.as_str(), told.not_after_millis), ("ab", 2000));
        for odd in [node("a"), node("a").annotation(CERTIFICATE_ANNOTATION, "soon")] {
            let told = of_node(&odd.build());
            assert_eq!((told.certificate, told.unknown.is_empty()), (None, false));
        }
    }
}
