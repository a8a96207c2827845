//! A new server is taken in: as a learner, and as a voter once it has caught up.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use skep_api::proto::{EnterRequest, peer_client::PeerClient};
use skep_store::{Member, MemberStatus, MembershipError, Role};
use tokio::time::Instant;

use super::Channels;
use crate::{core::Core, failure::Failure, members::failure};

/// More voters make every write slower and hardly anything safer.
pub(crate) const VOTERS_MAX: usize = 5;

/// How long a new server may take to catch up before it has to ask again.
const CATCH_UP_WITHIN: Duration = Duration::from_secs(120);

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The longest pause between two attempts to be let in.
const KNOCK_PAUSE_MAX: Duration = Duration::from_secs(5);

/// Takes a server in; true where it is a voter in the end.
///
/// # Errors
/// Where it cannot be: another server has its name, none leads, or it does not catch up.
pub(crate) async fn enter(core: &Arc<Core>, request: EnterRequest) -> Result<bool, Failure> {
    let member = Member::new(request.id, request.name, request.address);
    let known = core.store.members().await;
    let replaced = replaced_by(&member, &known)?;
    let before = known.iter().find(|status| status.member.id == member.id);
    if before.is_none() {
        tracing::info!(
            id = member.id,
            name = member.name,
            address = member.address,
            "a server enters"
        );
        core.store.add_learner(member.clone()).await.map_err(failure)?;
    }
    for old in replaced {
        tracing::info!(id = old, by = member.id, "a server is replaced");
        core.store.remove(old).await.map_err(failure)?;
    }
    if before.is_some_and(is_voter) {
        return Ok(true);
    }
    let voters = core.store.members().await;
    if request.learner || voters.iter().filter(|status| is_voter(status)).count() >= VOTERS_MAX {
        return Ok(false);
    }
    promote(core, member.id).await.map(|()| true)
}

fn is_voter(status: &MemberStatus) -> bool {
    status.role == Role::Voter
}

/// Makes a learner a voter once it has caught up.
async fn promote(core: &Core, id: u64) -> Result<(), Failure> {
    let deadline = Instant::now() + CATCH_UP_WITHIN;
    loop {
        match core.store.promote(id).await {
            Ok(()) => return Ok(()),
            Err(MembershipError::Behind { .. } | MembershipError::InProgress)
                if Instant::now() < deadline =>
            {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Err(error) => return Err(failure(error)),
        }
    }
}

/// The servers whose place a new one takes: what had its address cannot be alive, nor may one of its name be.
///
/// # Errors
/// Where another server that lives has its name.
pub(crate) fn replaced_by(member: &Member, known: &[MemberStatus]) -> Result<Vec<u64>, Failure> {
    let others = known.iter().filter(|status| status.member.id != member.id);
    let mut replaced = Vec::new();
    for other in others {
        let same_name = other.member.name == member.name;
        if other.member.address == member.address || (same_name && other.reached.is_none() && !other.leads) {
            replaced.push(other.member.id);
        } else if same_name {
            return Err(Failure::BadRequest(format!(
                "a server called {} is in the cluster already, at {}: choose another name with --name",
                member.name, other.member.address
            )));
        }
    }
    Ok(replaced)
}

/// Asks the servers of a cluster, one after the other and again, until one lets this server in.
///
/// # Errors
/// Where the cluster will not have it; why, in words.
pub(crate) async fn knock(
    channels: &Channels,
    servers: &[String],
    member: &Member,
    learner: bool,
) -> Result<bool, String> {
    let request = EnterRequest {
        id: member.id,
        name: member.name.clone(),
        address: member.address.clone(),
        learner,
    };
    let mut pause = LOOK_EVERY;
    let mut told: BTreeMap<&str, String> = BTreeMap::new();
    loop {
        for server in servers {
            let mut peer = PeerClient::new(channels.calls(server)?);
            match peer.enter(request.clone()).await {
                Ok(answer) => return Ok(answer.into_inner().voter),
                Err(status) => match status.code() {
                    tonic::Code::InvalidArgument | tonic::Code::PermissionDenied => {
                        return Err(status.message().to_owned());
                    }
                    _ if told
                        .get(server.as_str())
                        .is_some_and(|why| why == status.message()) => {}
                    _ => {
                        tracing::info!(
                            server,
                            why = status.message(),
                            "not let in yet: it goes on asking"
                        );
                        told.insert(server, status.message().to_owned());
                    }
                },
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(KNOCK_PAUSE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(id: u64, name: &str, address: &str, reached: Option<u64>) -> MemberStatus {
        MemberStatus {
            member: Member::new(id, name, address),
            role: Role::Voter,
            leads: false,
            reached,
        }
    }

    #[test]
    fn a_wiped_server_takes_the_place_it_had_before() {
        let known = [status(1, "a", "a:7443", Some(0)), status(2, "b", "b:7443", None)];
        assert_eq!(replaced_by(&Member::new(4, "b", "b:7443"), &known).unwrap(), [2]);
        assert_eq!(
            replaced_by(&Member::new(4, "b", "new:7443"), &known).unwrap(),
            [2]
        );
    }

    #[test]
    fn a_name_that_a_living_server_has_is_refused() {
        let known = [status(1, "a", "a:7443", Some(0))];
        assert!(replaced_by(&Member::new(4, "a", "b:7443"), &known).is_err());
        assert_eq!(
            replaced_by(&Member::new(4, "c", "c:7443"), &known).unwrap(),
            Vec::<u64>::new()
        );
    }

    #[test]
    fn a_server_that_asks_again_replaces_nobody() {
        let known = [status(2, "b", "b:7443", Some(0))];
        assert_eq!(
            replaced_by(&Member::new(2, "b", "b:7443"), &known).unwrap(),
            Vec::<u64>::new()
        );
    }
}
