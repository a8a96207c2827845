//! Join tokens: a secret of each, without what makes it a secret.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
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
};
use crate::{clock::now, core::Core, failure::Failure, stamp::stamp};

const NAMESPACE: &str = "kube-system";
const NAME_PREFIX: &str = "join-token-";
const SECRET_TYPE: &str = "skep.io/join-token";

const ROLE: &str = "role";
const SECRET_HASH: &str = "secret-hash";
const EXPIRES: &str = "expires";
const USES_LEFT: &str = "uses-left";

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

/// What the token lets its bearer join as.
pub(super) fn check(state: &State, token: &Token) -> Result<Known, Status> {
    let known = find(state, token.id()).filter(|known| token.matches(&known.secret_hash));
    let known = known.ok_or_else(|| denied("the join token is unknown or was revoked: make another one"))?;
    if known.expires <= now() {
        return Err(denied("the join token has expired: make another one"));
    }
    if known.uses_left == Some(0) {
        return Err(denied(
            "the join token was used as often as it may be: make another one",
        ));
    }
    Ok(known)
}

/// Counts one use of the token.
pub(super) async fn spend(core: &Core, token: &Token) -> Result<(), Status> {
    for _ in 0..ATTEMPTS {
        let known = check(&core.read(false).await?, token)?;
        let Some(left) = known.uses_left else {
            return Ok(());
        };
        let mut secret = known.stored;
        write_field(&mut secret, USES_LEFT, &(left - 1).to_string());
        let outcomes = core.propose("", vec![Change::update(secret)]).await?;
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
        secret_hash: token.secret_hash(),
        stored: Secret::default(),
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
            secret_hash: text(SECRET_HASH)?,
            stored: secret.clone(),
        })
    }

    fn to_secret(&self) -> Secret {
        let mut secret = Secret {
            metadata: ObjectMeta {
                name: format!("{NAME_PREFIX}{}", self.id),
                namespace: NAMESPACE.to_owned(),
                ..ObjectMeta::default()
            },
            r#type: SECRET_TYPE.to_owned(),
            ..Secret::default()
        };
        let role = match self.role {
            JoinRole::Server => "server",
            JoinRole::Agent => "agent",
        };
        write_field(&mut secret, ROLE, role);
        write_field(&mut secret, SECRET_HASH, &self.secret_hash);
        write_field(&mut secret, EXPIRES, &self.expires.to_string());
        if let Some(left) = self.uses_left {
            write_field(&mut secret, USES_LEFT, &left.to_string());
        }
        stamp(&mut secret.metadata, now());
        secret
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
