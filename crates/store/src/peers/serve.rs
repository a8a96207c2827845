//! Answers the other servers.

use std::sync::Arc;

use bytes::Bytes;
use openraft::{Snapshot, errors::RaftError};

use super::{
    Envelope, Incoming, Manage,
    incoming::Progress,
    message::{self, Chunk, ChunkReply, Reply, Request},
};
use crate::{
    blocking::blocking,
    folder::Origin,
    leadership::describe,
    raft::{Raft, Types},
    store::Inner,
};

impl Inner {
    /// Answers a message; whatever goes wrong is said in the answer.
    pub(crate) async fn answer(self: &Arc<Self>, from: u64, message: &[u8]) -> Bytes {
        let reply = match message::decode(message) {
            Ok((envelope, request)) => self.answer_request(from, envelope, request).await,
            Err(why) => Err(why),
        };
        let reply = reply.unwrap_or_else(|why| {
            tracing::debug!(from, why, "a message was refused");
            Reply::Refused(format!("server {} refuses: {why}", self.config.member.id))
        });
        message::encode(&Envelope::new(&self.home, from), &reply)
    }

    async fn answer_request(
        self: &Arc<Self>,
        from: u64,
        envelope: Envelope,
        request: Request,
    ) -> Result<Reply, String> {
        if envelope.to != self.config.member.id {
            return Err(format!("it is not server {}", envelope.to));
        }
        let joins = matches!(request, Request::Append(_) | Request::Snapshot(_));
        self.check_origin(from, envelope.origin, joins).await?;
        match request {
            Request::Append(request) => {
                let response = self.raft.append_entries(request).await;
                response.map(Reply::Append).map_err(why)
            }
            Request::Vote(request) => self.raft.vote(request).await.map(Reply::Vote).map_err(why),
            Request::PreVote(request) => self.raft.pre_vote(request).await.map(Reply::Vote).map_err(why),
            Request::TransferLeader(request) => {
                let response = self.raft.handle_transfer_leader(request).await;
                response
                    .map(Reply::TransferLeader)
                    .map_err(|fatal| describe(&fatal))
            }
            Request::Snapshot(chunk) => take_chunk(&self.raft, &self.incoming, chunk)
                .await
                .map(Reply::Snapshot),
            Request::Propose(json) => {
                self.check_member(from)?;
                Ok(Reply::Propose(self.propose_here(&json).await))
            }
            Request::ReadIndex => {
                self.check_member(from)?;
                Ok(Reply::ReadIndex(self.read_index_here().await))
            }
            Request::Manage(manage) => {
                self.check_member(from)?;
                Ok(Reply::Manage(self.answer_manage(manage).await))
            }
        }
    }

    async fn answer_manage(
        self: &Arc<Self>,
        manage: Manage,
    ) -> Result<Vec<crate::MemberStatus>, crate::MembershipError> {
        // It goes on even where the one that asked goes away: half a change is for nobody.
        let inner = self.clone();
        let work = tokio::spawn(async move { inner.manage_here(manage).await });
        work.await.unwrap_or(Err(crate::MembershipError::Stopped))
    }

    /// A server without a cluster becomes part of the one whose leader brings it the log; any other keeps to its own.
    async fn check_origin(
        self: &Arc<Self>,
        from: u64,
        origin: Option<Origin>,
        joins: bool,
    ) -> Result<(), String> {
        let theirs = origin.ok_or_else(|| format!("server {from} has not joined yet"))?;
        if self.home.origin().is_none() && !joins {
            return Err("it has not joined yet".to_owned());
        }
        if self.home.origin().is_none() {
            let (home, theirs) = (self.home.clone(), theirs.clone());
            let adopted = blocking(move || home.adopt(&theirs)).await;
            adopted
                .map_err(|error| error.to_string())?
                .map_err(|error| error.to_string())?;
        }
        match self.home.origin() {
            Some(ours) if *ours == theirs => Ok(()),
            Some(ours) if ours.cluster_id == theirs.cluster_id => Err(format!(
                "the cluster was recovered without one of us: empty the folder of the server that was left behind, {} or {from}, and join again",
                self.config.member.id
            )),
            Some(ours) => Err(format!(
                "server {from} belongs to cluster {}, this one to cluster {}",
                theirs.cluster_id, ours.cluster_id
            )),
            None => Err("this server is shut down".to_owned()),
        }
    }

    fn check_member(&self, from: u64) -> Result<(), String> {
        if self.view.borrow().member(from).is_none() {
            return Err(format!("server {from} is not a member of this cluster"));
        }
        Ok(())
    }
}

async fn take_chunk(raft: &Raft, incoming: &Incoming, chunk: Chunk) -> Result<ChunkReply, String> {
    let vote = chunk.vote;
    let progress = incoming.take(chunk).await.map_err(|error| error.to_string())?;
    let snapshot = match progress {
        Progress::Reply(reply) => return Ok(reply),
        Progress::Complete(snapshot) => *snapshot,
    };
    let (head, _) = snapshot.contents.as_deref().ok_or("the snapshot was not read")?;
    let (meta, path) = (head.meta.clone(), snapshot.path.clone());
    let installed = raft
        .install_full_snapshot(vote, Snapshot { meta, snapshot })
        .await;
    // Still there where it was not needed after all.
    blocking(move || std::fs::remove_file(&path).ok()).await.ok();
    installed
        .map(|response| ChunkReply::Installed(response.vote))
        .map_err(|fatal| describe(&fatal))
}

fn why(error: RaftError<Types>) -> String {
    match error {
        RaftError::Fatal(fatal) => describe(&fatal),
        RaftError::APIError(never) => match never {},
    }
}
