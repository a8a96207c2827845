//! Becoming known to a cluster, and staying known: the client's side of the service `skep.v1.Join`.

use std::{io, pin::Pin, sync::Arc, time::Duration};

use rustls::ClientConfig;
use skep_api::{
    Time,
    proto::{
        JoinRequest, JoinResponse, JoinRole, RejoinRequest, RenewRequest, RenewResponse,
        join_client::JoinClient,
    },
};
use tonic::{Code, Response, Status, transport::Channel};

use crate::{Bundle, Connector, Credentials, KeyPairFile, Tls, Token, TrustError, Wire, channel, pin, proof};

/// How long a server may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// What a new machine is given.
#[derive(Debug)]
pub struct Joined {
    /// Its key, its certificate and the CAs: to be saved.
    pub credentials: Credentials,
    /// A server's number; 0 for an agent.
    pub server_id: u64,
    /// `host:port` of each server.
    pub servers: Vec<String>,
    /// The cluster's id.
    pub cluster_id: String,
}

/// What a machine is given in place of what it had.
#[derive(Debug)]
pub struct Renewed {
    /// A new key, a new certificate and the CAs of now: to be saved, and used by [`Tls::replace`].
    pub credentials: Credentials,
    /// `host:port` of each server.
    pub servers: Vec<String>,
}

/// Why a machine has no new certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnrollError {
    /// No server answers; it may work in a moment.
    #[error("no server of the cluster answers: {0}")]
    Unreachable(String),
    /// Who answers belongs to another cluster; asking again brings the same answer.
    #[error(
        "{0} has no certificate of the CA that the token was made under: see whether the address is right, or make \
         another token on a server of that cluster"
    )]
    Stranger(String),
    /// A server says no, of its own accord; asking again brings the same answer.
    #[error("{0}")]
    Refused(String),
    /// There are no credentials that could be renewed.
    #[error("there is no certificate to renew: join the cluster first")]
    NotJoined,
    /// What a server gave cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// Joins the cluster that the token is for: asks the servers in turn until one answers.
///
/// An answer may be lost after the token was used: one who asks again has to show the same key, which is then not counted
/// twice ([`Credentials::key_to_join`]).
///
/// `name` is that of the node or server; `address` is where others reach a server (`host:port`), empty for an agent. A
/// token for what the machine does not want to be lets it in as neither.
///
/// # Errors
/// See [`EnrollError`].
pub async fn join(
    wire: &Wire,
    servers: &[String],
    token: &Token,
    key: &KeyPairFile,
    name: &str,
    address: &str,
) -> Result<Joined, EnrollError> {
    let role = if address.is_empty() {
        JoinRole::Agent
    } else {
        JoinRole::Server
    };
    let request = JoinRequest {
        token: token.to_string(),
        csr_pem: key.csr(),
        name: name.to_owned(),
        address: address.to_owned(),
        role: role.into(),
    };
    let config = pin::pinned_client_config(token.ca());
    let answer: JoinResponse = ask(wire, servers, &config, |mut client| {
        let request = request.clone();
        Box::pin(async move { client.join(request).await })
    })
    .await?;
    let bundle = Bundle::from_pem(&answer.ca_bundle_pem)?;
    let key = KeyPairFile::from_pem(&key.pem())?;
    Ok(Joined {
        credentials: Credentials::new(key, &answer.certificate_pem, bundle)?,
        server_id: answer.server_id,
        servers: answer.servers,
        cluster_id: answer.cluster_id,
    })
}

/// A new key and certificate for the same identity. A certificate that has expired is renewed by proof of its key, if the
/// cluster allows it.
///
/// `address` is where others reach a server (`host:port`), empty for an agent.
///
/// # Errors
/// See [`EnrollError`].
pub async fn renew(
    wire: &Wire,
    servers: &[String],
    tls: &Tls,
    address: &str,
    now: Time,
) -> Result<Renewed, EnrollError> {
    let key = KeyPairFile::generate();
    let csr_pem = key.csr();
    let config = tls.client_config();
    let rejoin = tls
        .with_credentials(|old| {
            let expired = now > old.certificate().validity.not_after;
            expired.then(|| RejoinRequest {
                certificate_pem: old.certificate_pem(),
                signature: proof::prove(old.key(), &csr_pem),
                csr_pem: csr_pem.clone(),
            })
        })
        .ok_or(EnrollError::NotJoined)?;
    let request = RenewRequest {
        csr_pem,
        address: address.to_owned(),
    };
    let answer: RenewResponse = ask(wire, servers, &config, |mut client| {
        let (rejoin, request) = (rejoin.clone(), request.clone());
        Box::pin(async move {
            match rejoin {
                Some(rejoin) => client.rejoin(rejoin).await,
                None => client.renew(request).await,
            }
        })
    })
    .await?;
    let bundle = Bundle::from_pem(&answer.ca_bundle_pem)?;
    Ok(Renewed {
        credentials: Credentials::new(key, &answer.certificate_pem, bundle)?,
        servers: answer.servers,
    })
}

/// Boxed, so that what waits for it can be spawned.
type Answer<T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send>>;

/// Asks the servers in turn; one that cannot answer now is passed over.
async fn ask<T>(
    wire: &Wire,
    servers: &[String],
    config: &Arc<ClientConfig>,
    call: impl Fn(JoinClient<Channel>) -> Answer<T>,
) -> Result<T, EnrollError> {
    let (mut tried, mut strangers) = (Vec::new(), Vec::new());
    for server in servers {
        let asked = tokio::time::timeout(ANSWER_WITHIN, async {
            let channel = match connect(wire, server, config).await {
                Ok(channel) => channel,
                Err(Unconnected::Stranger) => return Ok(None),
                Err(Unconnected::Away(why)) => return Err(Status::unavailable(why)),
            };
            call(JoinClient::new(channel)).await.map(Some)
        });
        match asked.await {
            Ok(Ok(Some(answer))) => return Ok(answer.into_inner()),
            Ok(Ok(None)) => strangers.push(server.as_str()),
            Ok(Err(status)) if is_refusal(status.code()) => {
                return Err(EnrollError::Refused(status.message().to_owned()));
            }
            Ok(Err(status)) => tried.push(format!("{server}: {}", words(&status))),
            Err(_) => tried.push(format!("{server}: no answer in time")),
        }
    }
    if tried.is_empty() && !strangers.is_empty() {
        return Err(EnrollError::Stranger(strangers.join(", ")));
    }
    tried.extend(
        strangers
            .iter()
            .map(|server| format!("{server}: a server of another cluster")),
    );
    if tried.is_empty() {
        tried.push("there is none to ask".to_owned());
    }
    Err(EnrollError::Unreachable(tried.join("; ")))
}

/// Whether a server has decided. Everything else is no answer: a server that goes down in the middle of a call, or a wire
/// that breaks, comes out as one of a number of codes.
fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unimplemented
    )
}

/// What a server says, or what became of the connection.
fn words(status: &Status) -> String {
    match std::error::Error::source(status) {
        Some(source) => innermost(source).to_string(),
        None => status.message().to_owned(),
    }
}

/// Why there is no connection with a server.
enum Unconnected {
    /// It is not one of the cluster's: no CA that is trusted has signed its certificate.
    Stranger,
    /// It may answer another time.
    Away(String),
}

async fn connect(wire: &Wire, server: &str, config: &Arc<ClientConfig>) -> Result<Channel, Unconnected> {
    let connector = Connector::new(config.clone()).over(wire);
    let endpoint = channel::endpoint(server)
        .map_err(|_| Unconnected::Away("this is no address: write HOST:PORT".to_owned()))?;
    let connected = endpoint.connect_with_connector(connector).await;
    connected.map_err(|error| {
        // tonic's own words say next to nothing.
        let cause = innermost(&error);
        if is_unknown_issuer(cause) {
            Unconnected::Stranger
        } else {
            Unconnected::Away(cause.to_string())
        }
    })
}

fn innermost<'a>(mut error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

fn is_unknown_issuer(error: &(dyn std::error::Error + 'static)) -> bool {
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let tls = match wrapped {
        Some(inner) => inner.downcast_ref::<rustls::Error>(),
        None => error.downcast_ref::<rustls::Error>(),
    };
    matches!(
        tls,
        Some(rustls::Error::InvalidCertificate(
            rustls::CertificateError::UnknownIssuer
        ))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_server_decides_is_a_refusal() {
        let refusals: Vec<Code> = (0..=16)
            .map(Code::from_i32)
            .filter(|code| is_refusal(*code))
            .collect();
        assert_eq!(
            refusals,
            [
                Code::InvalidArgument,
                Code::NotFound,
                Code::AlreadyExists,
                Code::PermissionDenied,
                Code::FailedPrecondition,
                Code::OutOfRange,
                Code::Unimplemented,
                Code::Unauthenticated,
            ]
        );
    }
}
