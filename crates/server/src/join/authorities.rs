//! The CA in the cluster's state, and those before it that are still trusted.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use skep_api::{Kind, ObjectKey, ObjectMeta, Secret, Time};
use skep_state::{Change, Refusal, State};
use skep_trust::{Bundle, Ca, CaHash, Validity};

use super::{ATTEMPTS, lifetimes};
use crate::{clock::now, core::Core, failure::Failure, stamp::stamp};

/// Namespace and name of the secret that holds the CA.
pub(crate) const CA_SECRET: (&str, &str) = ("kube-system", "skep-ca");

const SECRET_TYPE: &str = "skep.io/ca";

/// Days after which a machine whose certificate has expired may not come back by itself; 0 for never.
const REJOIN_ANNOTATION: &str = "skep.io/rejoin-days";

const CERTIFICATES: &str = "ca.crt";
const KEY: &str = "ca.key";
const RETIRING: &str = "retiring.json";
const NEXT_SERVER_ID: &str = "next-server-id";

/// CAs that are trusted besides the active one.
const RETIRING_MAX: usize = 4;

/// The CA that signs, and those before it that are still trusted.
#[derive(Debug)]
pub(super) struct Authorities {
    pub active: Ca,
    pub retiring: Vec<Retiring>,
    next_server_id: u64,
    stored: Secret,
}

/// A CA that signs no more.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Retiring {
    /// In PEM.
    pub certificate: String,
    /// Trusted until then.
    pub until: Time,
}

/// Puts the CA of a new cluster into its state. Nothing happens where there is one already.
///
/// # Errors
/// Where the state cannot be read or written.
pub(crate) async fn found(core: &Core, ca: &Ca) -> Result<(), Failure> {
    if core.read(false).await?.object(Kind::Secret, &key()).is_some() {
        return Ok(());
    }
    let mut secret = Secret {
        metadata: ObjectMeta {
            name: CA_SECRET.1.to_owned(),
            namespace: CA_SECRET.0.to_owned(),
            ..ObjectMeta::default()
        },
        r#type: SECRET_TYPE.to_owned(),
        ..Secret::default()
    };
    write_fields(&mut secret, ca, &[], core.store.server_id() + 1);
    stamp(&mut secret.metadata, now());
    let outcomes = core.propose("", vec![Change::create(secret)]).await?;
    match outcomes.into_iter().find_map(Result::err) {
        None | Some(Refusal::AlreadyExists { .. }) => Ok(()),
        Some(refusal) => Err(refusal.into()),
    }
}

/// A number that no server was ever given.
pub(super) async fn new_server_id(core: &Core) -> Result<u64, Failure> {
    let taken = core
        .store
        .members()
        .await
        .into_iter()
        .map(|status| status.member.id);
    let unused = core.store.unused_id().max(taken.max().unwrap_or(0) + 1);
    change(core, |authorities| {
        let id = authorities.next_server_id.max(unused);
        authorities.next_server_id = id + 1;
        Ok(id)
    })
    .await
    .map(|(id, _)| id)
}

/// Puts a new CA in place of the active one, which stays trusted for `retire_after`.
pub(super) async fn rotate(core: &Core, retire_after: Duration) -> Result<Authorities, Failure> {
    change(core, |authorities| {
        let now = now();
        authorities.retiring.retain(|retiring| retiring.until > now);
        if authorities.retiring.len() >= RETIRING_MAX {
            let message = format!("{RETIRING_MAX} CAs are still retiring: wait until one of them has");
            return Err(Failure::BadRequest(message));
        }
        let successor = authorities.active.successor(now).map_err(broken)?;
        let old = std::mem::replace(&mut authorities.active, successor);
        let until = now.plus(retire_after).min(old.validity().not_after);
        if until > now {
            let certificate = old.bundle().to_pem();
            authorities.retiring.insert(0, Retiring { certificate, until });
        }
        Ok(())
    })
    .await
    .map(|((), authorities)| authorities)
}

/// Changes what is stored, on what is there now.
async fn change<T>(
    core: &Core,
    change: impl Fn(&mut Authorities) -> Result<T, Failure>,
) -> Result<(T, Authorities), Failure> {
    for _ in 0..ATTEMPTS {
        let state = core.read(false).await?;
        let mut authorities = Authorities::load(&state)?;
        let answer = change(&mut authorities)?;
        let outcomes = core
            .propose("", vec![Change::update(authorities.to_secret())])
            .await?;
        match outcomes.into_iter().find_map(Result::err) {
            None => return Ok((answer, authorities)),
            Some(Refusal::Conflict { .. }) => {}
            Some(refusal) => return Err(refusal.into()),
        }
    }
    Err(Failure::Unavailable(
        "the CA's secret keeps changing: try again".to_owned(),
    ))
}

impl Authorities {
    /// As this state has them.
    pub(super) fn load(state: &State) -> Result<Self, Failure> {
        let secret = state.get::<Secret>(&key()).ok_or_else(|| {
            let message = "this cluster has no CA: it is one machine's own, reached by its socket";
            Failure::BadRequest(message.to_owned())
        })?;
        let active = Ca::from_pem(&text(secret, CERTIFICATES)?, &text(secret, KEY)?).map_err(broken)?;
        Ok(Self {
            active,
            retiring: serde_json::from_str(&text(secret, RETIRING)?).map_err(broken)?,
            next_server_id: text(secret, NEXT_SERVER_ID)?.parse().map_err(broken)?,
            stored: secret.clone(),
        })
    }

    /// The CAs to trust now, the active one first.
    pub(super) fn trusted(&self, now: Time) -> Result<Bundle, Failure> {
        let still = self.retiring.iter().filter(|retiring| retiring.until > now);
        let pem: String = still.map(|retiring| retiring.certificate.as_str()).collect();
        Bundle::from_pem(&(self.active.bundle().to_pem() + &pem)).map_err(broken)
    }

    /// Every CA that is trusted now, with what it says of itself, and when it retires.
    pub(super) fn listed(&self, now: Time) -> Vec<(CaHash, Validity, Option<Time>)> {
        let mut listed = vec![(self.active.hash(), self.active.validity(), None)];
        for retiring in self.retiring.iter().filter(|retiring| retiring.until > now) {
            if let Ok(certificate) = skep_trust::Certificate::from_pem(&retiring.certificate) {
                let hash = CaHash::of(certificate.der());
                listed.push((hash, certificate.validity, Some(retiring.until)));
            }
        }
        listed
    }

    /// For how long after its certificate has expired a machine may come back with its old key.
    pub(super) fn rejoin_within(&self) -> Duration {
        let told = self.stored.metadata.annotations.get(REJOIN_ANNOTATION);
        let days = told.map_or(Some(lifetimes::REJOIN_DAYS), |days| days.parse().ok());
        // What cannot be read allows nothing.
        lifetimes::days(days.unwrap_or(0).min(100 * 365))
    }

    fn to_secret(&self) -> Secret {
        let mut secret = self.stored.clone();
        write_fields(&mut secret, &self.active, &self.retiring, self.next_server_id);
        secret
    }
}

fn write_fields(secret: &mut Secret, active: &Ca, retiring: &[Retiring], next_server_id: u64) {
    let retiring = serde_json::to_string(retiring).expect("plain JSON");
    let fields = [
        (CERTIFICATES, active.certificates_pem()),
        (KEY, active.key_pem().to_string()),
        (RETIRING, retiring),
        (NEXT_SERVER_ID, next_server_id.to_string()),
    ];
    for (name, value) in fields {
        secret.data.insert(name.to_owned(), STANDARD.encode(value));
    }
}

fn text(secret: &Secret, name: &str) -> Result<String, Failure> {
    let data = secret
        .data
        .get(name)
        .ok_or_else(|| broken(format!("{name} is missing")))?;
    let bytes = STANDARD.decode(data).map_err(broken)?;
    String::from_utf8(bytes).map_err(broken)
}

fn key() -> ObjectKey {
    ObjectKey::new(CA_SECRET.0, CA_SECRET.1)
}

fn broken(why: impl std::fmt::Display) -> Failure {
    let (namespace, name) = CA_SECRET;
    Failure::Internal(format!("the secret {namespace}/{name} is damaged: {why}"))
}
