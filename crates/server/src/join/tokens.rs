//! Join tokens: a secret of each, without what makes it a secret.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use skep_api::{
    ObjectKey, ObjectMeta, Secret, Time,
    proto::{CreateTokenRequest, JoinRole as WireRole, TokenInfo},
};
use skep_state::{Change, DeleteOptions, Refusal, State};
use skep_trust::{CaHash, JoinRole, Token};
use tonic::Status;

use super::{
    ATTEMPTS, denied,
    lifetimes::{TOKEN_LIFETIME, TOKEN_LIFETIME_MAX},
    service::wrong,
};
use crate::{clock::now, core::Core, failure::Failure, stamp::stamp};

const NAMESPACE: &str = "kube-system";
const NAME_PREFIX: &str = "join-token-";
const SECRET_TYPE: &str = "skep.io/join-token";

const ROLE: &str = "role";
const SECRET_HASH: &str = "secret-hash";
const EXPIRES: &str = "expires";
const USES_LEFT: &str = "uses-left";
const USED_BY: &str = "used-by";

/// Machines that a token of so many uses remembers: one whose answer was lost asks again soon, or never.
const REMEMBERED_MAX: usize = 64;

/// Tokens at once; expired ones make room.
const TOKENS_MAX: usize = 256;

/// A token, as the cluster knows it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub id: String,
    pub role: JoinRole,
    pub expires: Time,
    /// `None`: any number.
    pub uses_left: Option<u32>,
    /// Who was let in by it last, where its uses are counted.
    used_by: Vec<String>,
    secret_hash: String,
    stored: Secret,
}

/// Makes a token, and clears away those that have expired.
pub(super) async fn create(
    core: &Core,
    ca: CaHash,
    request: &CreateTokenRequest,
) -> Result<(Token, Known), Failure> {
    let known = fresh(&Token::generate(ca), request)?;
    let token = known.0;
    let known = known.1;
    let state = core.read(false).await?;
    let (expired, alive): (Vec<_>, Vec<_>) =
        all(&state).into_iter().partition(|known| known.expires <= now());
    if alive.len() >= TOKENS_MAX {
        let message = format!("there are {TOKENS_MAX} join tokens: revoke some first");
        return Err(Failure::BadRequest(message));
    }
    let mut changes = vec![Change::create(known.stored.clone())];
    changes.extend(expired.into_iter().map(|known| delete(&known)));
    let outcomes = core.propose("", changes).await?;
    match outcomes.into_iter().next() {
        Some(Err(refusal)) => Err(refusal.into()),
        _ => Ok((token, known)),
    }
}

/// The tokens that can still be used, by id.
pub(super) fn usable(state: &State) -> Vec<Known> {
    let mut usable = all(state);
    usable.retain(|known| known.expires > now() && known.uses_left != Some(0));
    usable
}

/// Makes a token useless; `id` may be the whole token.
pub(super) async fn revoke(core: &Core, id: &str) -> Result<(), Failure> {
    let id = id
        .parse::<Token>()
        .map_or_else(|_| id.to_owned(), |token| token.id().to_owned());
    let state = core.read(false).await?;
    let known = find(&state, &id).ok_or_else(|| {
        Failure::BadRequest(format!(
            "there is no join token {id}: `skep token list` shows those there are"
        ))
    })?;
    let outcomes = core.propose("", vec![delete(&known)]).await?;
    match outcomes.into_iter().find_map(Result::err) {
        None | Some(Refusal::NotFound { .. }) => Ok(()),
        Some(refusal) => Err(refusal.into()),
    }
}

/// Tells machines apart: the key with which one asks to be let in, and the name by which it does.
///
/// # Errors
/// Where the CSR cannot be read or is not signed by its key.
pub(super) fn bearer(csr_pem: &str, name: &str) -> Result<String, Failure> {
    let key = skep_trust::key_of_csr(csr_pem).map_err(wrong)?;
    let mut digest = Sha256::new();
    digest.update(key);
    digest.update(name);
    Ok(STANDARD.encode(&digest.finalize()[..16]))
}

/// What the token lets its bearer join as. One that it has let in before, whose answer may have been lost, comes in again.
pub(super) fn check(state: &State, token: &Token, bearer: &str) -> Result<Known, Status> {
    let known = find(state, token.id()).filter(|known| token.matches(&known.secret_hash));
    let known = known.ok_or_else(|| denied("the join token is unknown or was revoked: make another one"))?;
    if known.expires <= now() {
        return Err(denied("the join token has expired: make another one"));
    }
    if known.uses_left == Some(0) && !known.was_used_by(bearer) {
        return Err(denied(
            "the join token was used as often as it may be: make another one",
        ));
    }
    Ok(known)
}

/// Counts one use of the token, once for each bearer.
pub(super) async fn spend(core: &Core, token: &Token, bearer: &str) -> Result<(), Status> {
    for _ in 0..ATTEMPTS {
        let mut known = check(&core.read(false).await?, token, bearer)?;
        if known.uses_left.is_none() || known.was_used_by(bearer) {
            return Ok(());
        }
        known.use_by(bearer);
        let outcomes = core.propose("", vec![Change::update(known.to_secret())]).await?;
        match outcomes.into_iter().find_map(Result::err) {
            None => return Ok(()),
            Some(Refusal::Conflict { .. } | Refusal::NotFound { .. }) => {}
            Some(refusal) => return Err(Failure::from(refusal).into()),
        }
    }
    Err(Failure::Unavailable("many machines use this join token at once: try again".to_owned()).into())
}

fn fresh(token: &Token, request: &CreateTokenRequest) -> Result<(Token, Known), Failure> {
    let role = match request.role() {
        WireRole::Server => JoinRole::Server,
        WireRole::Agent => JoinRole::Agent,
        WireRole::Unspecified => {
            return Err(Failure::BadRequest("role: must be server or agent".to_owned()));
        }
    };
    let lifetime = match request.lifetime_seconds {
        0 => TOKEN_LIFETIME,
        seconds => Duration::from_secs(seconds),
    };
    if lifetime > TOKEN_LIFETIME_MAX {
        let days = TOKEN_LIFETIME_MAX.as_secs() / 86_400;
        return Err(Failure::BadRequest(format!(
            "lifetimeSeconds: a token may live {days} days at most"
        )));
    }
    let mut known = Known {
        id: token.id().to_owned(),
        role,
        expires: now().plus(lifetime).whole_secs(),
        uses_left: Some(request.uses).filter(|uses| *uses > 0),
        used_by: Vec::new(),
        secret_hash: token.secret_hash(),
        stored: empty(token.id()),
    };
    known.stored = known.to_secret();
    Ok((token.clone(), known))
}

impl Known {
    fn from_secret(secret: &Secret) -> Option<Self> {
        let text = |name: &str| {
            let bytes = STANDARD.decode(secret.data.get(name)?).ok()?;
            String::from_utf8(bytes).ok()
        };
        let role = match text(ROLE)?.as_str() {
            "server" => JoinRole::Server,
            "agent" => JoinRole::Agent,
            _ => return None,
        };
        let uses_left = match text(USES_LEFT) {
            Some(count) => Some(count.parse().ok()?),
            None => None,
        };
        Some(Self {
            id: secret.metadata.name.strip_prefix(NAME_PREFIX)?.to_owned(),
            role,
            expires: text(EXPIRES)?.parse().ok()?,
            uses_left,
            used_by: text(USED_BY)
                .unwrap_or_default()
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
            secret_hash: text(SECRET_HASH)?,
            stored: secret.clone(),
        })
    }

    /// What is stored, as it is to be.
    fn to_secret(&self) -> Secret {
        let mut secret = self.stored.clone();
        let role = match self.role {
            JoinRole::Server => "server",
            JoinRole::Agent => "agent",
        };
        write_field(&mut secret, ROLE, role);
        write_field(&mut secret, SECRET_HASH, &self.secret_hash);
        write_field(&mut secret, EXPIRES, &self.expires.to_string());
        if let Some(left) = self.uses_left {
            write_field(&mut secret, USES_LEFT, &left.to_string());
            write_field(&mut secret, USED_BY, &self.used_by.join(" "));
        }
        secret
    }

    fn was_used_by(&self, bearer: &str) -> bool {
        self.used_by.iter().any(|known| known == bearer)
    }

    /// Counts a use.
    fn use_by(&mut self, bearer: &str) {
        self.uses_left = self.uses_left.map(|left| left.saturating_sub(1));
        self.used_by.push(bearer.to_owned());
        let too_many = self.used_by.len().saturating_sub(REMEMBERED_MAX);
        self.used_by.drain(..too_many);
    }

    /// As clients see it.
    pub(super) fn info(&self) -> TokenInfo {
        let role = match self.role {
            JoinRole::Server => WireRole::Server,
            JoinRole::Agent => WireRole::Agent,
        };
        TokenInfo {
            id: self.id.clone(),
            role: role.into(),
            expires_millis: self.expires.as_millis(),
            uses_left: self.uses_left,
            created_millis: super::millis(self.stored.metadata.creation_timestamp),
        }
    }
}

/// The secret of a new token, without what is in it.
fn empty(id: &str) -> Secret {
    let key = key(id);
    let mut secret = Secret {
        metadata: ObjectMeta {
            name: key.name,
            namespace: key.namespace,
            ..ObjectMeta::default()
        },
        r#type: SECRET_TYPE.to_owned(),
        ..Secret::default()
    };
    stamp(&mut secret.metadata, now());
    secret
}

fn all(state: &State) -> Vec<Known> {
    let secrets = state.list::<Secret>(Some(NAMESPACE));
    secrets
        .filter(|secret| secret.r#type == SECRET_TYPE)
        .filter_map(Known::from_secret)
        .collect()
}

fn find(state: &State, id: &str) -> Option<Known> {
    let secret = state.get::<Secret>(&key(id))?;
    Some(secret)
        .filter(|secret| secret.r#type == SECRET_TYPE)
        .and_then(Known::from_secret)
}

fn key(id: &str) -> ObjectKey {
    ObjectKey::new(NAMESPACE, format!("{NAME_PREFIX}{id}"))
}

fn delete(known: &Known) -> Change {
    Change::delete(&known.stored.clone().into(), DeleteOptions::default())
}

fn write_field(secret: &mut Secret, name: &str, value: &str) {
    secret.data.insert(name.to_owned(), STANDARD.encode(value));
}
