//! `skep.v1.Members`: who the servers are, and changes of that.

mod backup;
mod leave;

use std::sync::Arc;

use skep_api::proto::{
    LeaveRequest, LeaveResponse, ListMembersRequest, ListMembersResponse, MemberInfo, MemberRequest,
    SaveSnapshotRequest, SnapshotChunk, members_server::Members,
};
use skep_store::{MemberStatus, MembershipError, Role};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

pub(crate) use leave::Departure;

use crate::{core::Core, failure::Failure, peers::VOTERS_MAX};

/// `skep.v1.Members`.
#[derive(Clone)]
pub(crate) struct MembersService(pub Arc<Core>);

#[tonic::async_trait]
impl Members for MembersService {
    type SaveSnapshotStream = ReceiverStream<Result<SnapshotChunk, Status>>;

    async fn list(&self, _: Request<ListMembersRequest>) -> Result<Response<ListMembersResponse>, Status> {
        Ok(Response::new(list(&self.0).await))
    }

    async fn promote(
        &self,
        request: Request<MemberRequest>,
    ) -> Result<Response<ListMembersResponse>, Status> {
        let member = named(&self.0, &request.into_inner().member).await?;
        may_vote(&member, &self.0.store.members().await)?;
        self.0.store.promote(member.member.id).await.map_err(failure)?;
        Ok(Response::new(list(&self.0).await))
    }

    async fn remove(&self, request: Request<MemberRequest>) -> Result<Response<ListMembersResponse>, Status> {
        let member = named(&self.0, &request.into_inner().member).await?;
        leave::remove(&self.0, &member.member).await?;
        Ok(Response::new(list(&self.0).await))
    }

    async fn transfer_leader(
        &self,
        request: Request<MemberRequest>,
    ) -> Result<Response<ListMembersResponse>, Status> {
        let to = match request.into_inner().member.as_str() {
            "" => None,
            name => Some(named(&self.0, name).await?.member.id),
        };
        self.0.store.transfer_leader(to).await.map_err(failure)?;
        Ok(Response::new(list(&self.0).await))
    }

    async fn leave(&self, _: Request<LeaveRequest>) -> Result<Response<LeaveResponse>, Status> {
        leave::leave(&self.0).await?;
        Ok(Response::new(LeaveResponse {}))
    }

    async fn save_snapshot(
        &self,
        _: Request<SaveSnapshotRequest>,
    ) -> Result<Response<Self::SaveSnapshotStream>, Status> {
        // What was acknowledged before the call is in it, whichever server answers.
        self.0.read(false).await?;
        Ok(Response::new(backup::stream(&self.0)))
    }
}

async fn list(core: &Core) -> ListMembersResponse {
    let info = |status: MemberStatus| MemberInfo {
        id: status.member.id,
        name: status.member.name,
        address: status.member.address,
        voter: status.role == Role::Voter,
        leads: status.leads,
        lag: status.reached,
    };
    let members = core.store.members().await;
    ListMembersResponse {
        members: members.into_iter().map(info).collect(),
    }
}

/// The server of this name or number.
async fn named(core: &Core, name: &str) -> Result<MemberStatus, Failure> {
    let members = core.store.members().await;
    let number = name.parse::<u64>().ok();
    let by_name = members.iter().find(|status| status.member.name == name);
    let by_number = || members.iter().find(|status| Some(status.member.id) == number);
    by_name.or_else(by_number).cloned().ok_or_else(|| {
        let known: Vec<_> = members.iter().map(|status| status.member.name.as_str()).collect();
        Failure::BadRequest(format!(
            "there is no server \"{name}\": the servers are {}",
            known.join(", ")
        ))
    })
}

/// As many servers vote as may where one more would be needless.
fn may_vote(member: &MemberStatus, members: &[MemberStatus]) -> Result<(), Failure> {
    let voters = members.iter().filter(|status| status.role == Role::Voter).count();
    // One that takes the place of a voter of its name adds none.
    let replaces = members
        .iter()
        .any(|other| other.role == Role::Voter && other.member.name == member.member.name);
    if voters < VOTERS_MAX || replaces {
        return Ok(());
    }
    Err(Failure::BadRequest(format!(
        "{voters} servers vote already, and a further one makes every write slower and hardly anything safer: take one \
         out first (`skep member remove`)"
    )))
}

/// What stands against a change of the servers.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn failure(error: MembershipError) -> Failure {
    match error {
        MembershipError::NoLeader
        | MembershipError::Behind { .. }
        | MembershipError::InProgress
        | MembershipError::Transfer(_)
        | MembershipError::Stopped => Failure::Unavailable(error.to_string()),
        _ => Failure::BadRequest(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use skep_store::Member;

    use super::*;

    #[test]
    fn five_servers_vote_at_most_and_one_may_take_the_place_of_another() {
        let status = |id: u64, name: &str, role| MemberStatus {
            member: Member::new(id, name, format!("{name}:7443")),
            role,
            leads: id == 1,
            reached: None,
        };
        let voters = |count: u64| -> Vec<MemberStatus> {
            (1..=count)
                .map(|id| status(id, &format!("s{id}"), Role::Voter))
                .collect()
        };
        let learner = |name| status(9, name, Role::Learner);
        assert!(may_vote(&learner("s9"), &voters(4)).is_ok());
        assert!(may_vote(&learner("s9"), &voters(5)).is_err());
        assert!(may_vote(&learner("s3"), &voters(5)).is_ok());
        assert!(may_vote(&voters(5)[2], &voters(5)).is_ok(), "it votes already");
    }
}
