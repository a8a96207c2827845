//! `skep.v1.Join`: letting machines in, and keeping those that are.

use std::sync::Arc;

use skep_api::{
    ConditionStatus, Node, NodeConditionType, ObjectKey, names,
    proto::{
        JoinRequest, JoinResponse, JoinRole as WireRole, RejoinRequest, RenewRequest, RenewResponse,
        join_server::Join,
    },
};
use skep_state::State;
use skep_store::Member;
use skep_trust::{Certificate, Identity, JoinRole, Token, TrustError, Validity, verify_proof};
use tonic::{Request, Response, Status};

use super::{
    authorities::{self, Authorities},
    denied, held,
    lifetimes::MACHINE_LIFETIME,
    own::server_names,
    servers, tokens,
};
use crate::{clock::now, core::Core, failure::Failure, peers::replaced_by};

/// No server has this number.
const NOBODY: u64 = 0;

/// `skep.v1.Join`.
#[derive(Clone)]
pub(crate) struct JoinService(pub Arc<Core>);

#[tonic::async_trait]
impl Join for JoinService {
    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        join(&self.0, request.into_inner()).await.map(Response::new)
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<RenewResponse>, Status> {
        let identity = request.extensions().get::<Identity>().cloned();
        let identity = identity.ok_or_else(|| denied("only machines with a certificate can renew it"))?;
        let request = request.into_inner();
        let address = request.address;
        renew(&self.0, &identity, &request.csr_pem, &address)
            .await
            .map(Response::new)
    }

    async fn rejoin(&self, request: Request<RejoinRequest>) -> Result<Response<RenewResponse>, Status> {
        let request = request.into_inner();
        let identity = proven(&self.0, &request).await?;
        tracing::info!(%identity, "comes back with an expired certificate");
        renew(&self.0, &identity, &request.csr_pem, "")
            .await
            .map(Response::new)
    }
}

async fn join(core: &Core, request: JoinRequest) -> Result<JoinResponse, Status> {
    let token: Token = request.token.parse().map_err(wrong)?;
    let bearer = tokens::bearer(&request.csr_pem, &request.name)?;
    let state = core.read(false).await?;
    let role = tokens::check(&state, &token, &bearer)?.role;
    check_role(role, request.role())?;
    let (identity, server_id) = match role {
        JoinRole::Agent => (newcomer_node(&state, &request.name)?, 0),
        JoinRole::Server => {
            check_address(&request.address)?;
            newcomer_server(core, &request.name, &request.address).await?;
            let id = authorities::new_server_id(core).await?;
            let name = request.name.clone();
            (Identity::Server { id, name }, id)
        }
    };
    let names = server_names(&request.name, &request.address);
    let issued = issue(core, &identity, &request.csr_pem, &names).await?;
    tokens::spend(core, &token, &bearer).await?;
    tracing::info!(%identity, token = token.id(), "joins");
    Ok(JoinResponse {
        certificate_pem: issued.certificate_pem,
        ca_bundle_pem: issued.ca_bundle_pem,
        server_id,
        servers: issued.servers,
        cluster_id: core.store.cluster_id().to_owned(),
    })
}

/// A token for servers lets no agent in, nor the other way round.
fn check_role(role: JoinRole, wanted: WireRole) -> Result<(), Status> {
    let (is_for, make) = match (role, wanted) {
        (JoinRole::Agent, WireRole::Server) => ("agents and lets no server in", "server"),
        (JoinRole::Server, WireRole::Agent) => ("servers and lets no agent in", "agent"),
        _ => return Ok(()),
    };
    Err(denied(format!(
        "the join token is for {is_for}: make another one with `skep token create --role {make}`"
    )))
}

/// A server that the others would not let in gets no certificate, and spends no token.
async fn newcomer_server(core: &Core, name: &str, address: &str) -> Result<(), Failure> {
    check_name(name)?;
    let known = core.store.members().await;
    replaced_by(&Member::new(NOBODY, name, address), &known).map(drop)
}

fn check_name(name: &str) -> Result<(), Failure> {
    match names::dns_subdomain(name) {
        Some(problem) => Err(Failure::BadRequest(format!("name: `{name}` {problem}"))),
        None => Ok(()),
    }
}

/// A node's name is free for newcomers while no other machine lives by it.
fn newcomer_node(state: &State, name: &str) -> Result<Identity, Failure> {
    check_name(name)?;
    let ready = |node: &Node| {
        let conditions = &node.status.conditions;
        conditions.iter().any(|condition| {
            condition.r#type == NodeConditionType::Ready && condition.status == ConditionStatus::True
        })
    };
    if state.get::<Node>(&ObjectKey::cluster(name)).is_some_and(ready) {
        return Err(Failure::BadRequest(format!(
            "name: there is a node \"{name}\" that is ready: choose another name, or delete that node first"
        )));
    }
    Ok(Identity::Node {
        name: name.to_owned(),
    })
}

fn check_address(address: &str) -> Result<(), Failure> {
    let fits = address
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
    if fits {
        return Ok(());
    }
    Err(Failure::BadRequest(format!(
        "address: `{address}` is not where others can reach a server: write HOST:PORT"
    )))
}

/// A certificate for a machine that has one, or had.
async fn renew(
    core: &Core,
    identity: &Identity,
    csr_pem: &str,
    address: &str,
) -> Result<RenewResponse, Status> {
    let names = match identity {
        Identity::Node { name } => {
            still_there(&core.read(false).await?, name)?;
            Vec::new()
        }
        Identity::Server { id, name } => {
            let members = core.store.members().await;
            let known = members.into_iter().find(|status| status.member.id == *id);
            let known = known.ok_or_else(|| denied(format!("{identity} was removed from the cluster")))?;
            let address = Some(address).filter(|address| !address.is_empty());
            server_names(name, address.unwrap_or(&known.member.address))
        }
        Identity::User { .. } => {
            return Err(denied(
                "certificates of people are not renewed: ask for a new one",
            ));
        }
    };
    let issued = issue(core, identity, csr_pem, &names).await?;
    if let Identity::Node { name } = identity {
        let authorities = Authorities::load(&core.read(false).await?)?;
        if let Err(failure) = held::note_given(core, name, &issued.certificate_pem, &authorities).await {
            // The node has it all the same.
            let why = Status::from(failure);
            tracing::info!(
                node = name,
                why = why.message(),
                "a new certificate is not noted yet"
            );
        }
    }
    Ok(issued)
}

fn still_there(state: &State, name: &str) -> Result<(), Status> {
    match state.get::<Node>(&ObjectKey::cluster(name)) {
        Some(_) => Ok(()),
        None => Err(denied(format!(
            "node {name} was deleted from the cluster: join again with a token"
        ))),
    }
}

/// Who the bearer of an expired certificate is, where it proves that it holds the key and comes back in time.
async fn proven(core: &Core, request: &RejoinRequest) -> Result<Identity, Status> {
    let authorities = Authorities::load(&core.read(false).await?)?;
    let expired = Certificate::from_pem(&request.certificate_pem).map_err(wrong)?;
    let trusted = authorities.trusted(now())?;
    verify_proof(&expired, &trusted, &request.csr_pem, &request.signature)
        .map_err(|error| denied(error.to_string()))?;
    let until = expired.validity.not_after.plus(authorities.rejoin_within());
    if now() > until {
        return Err(denied(format!(
            "the certificate has expired, and could be renewed until {until}: join again with a token"
        )));
    }
    let identity = expired.identity.clone();
    identity.ok_or_else(|| denied("the certificate is nobody's of this cluster"))
}

async fn issue(
    core: &Core,
    identity: &Identity,
    csr_pem: &str,
    names: &[String],
) -> Result<RenewResponse, Status> {
    let authorities = Authorities::load(&core.read(false).await?)?;
    let validity = Validity::from(now(), MACHINE_LIFETIME);
    let certificate_pem = authorities
        .active
        .issue(csr_pem, identity, names, validity)
        .map_err(wrong)?;
    Ok(RenewResponse {
        certificate_pem,
        ca_bundle_pem: authorities.trusted(now())?.to_pem(),
        servers: servers(core),
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
pub(super) fn wrong(error: TrustError) -> Failure {
    Failure::BadRequest(error.to_string())
}
