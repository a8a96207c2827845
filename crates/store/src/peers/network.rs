//! Consensus' way to other servers.

use std::{
    io::{self, Read},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures::{
    Stream, StreamExt,
    future::{Either, ready, select},
};
use openraft::{
    OptionalSend, RaftNetworkFactory, RaftNetworkV2,
    base::{BoxFuture, BoxStream},
    errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable},
    network::{RPCOption, RPCTypes},
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult,
        TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
    },
    type_config::alias::SnapshotOf,
};

use super::{
    AskError, Peers, Reply, Request,
    message::{Chunk, ChunkReply},
    patient::Patient,
};
use crate::{
    Lane, Member,
    blocking::blocking,
    member::Place,
    raft::{Types, Vote},
    snapshot::{self, ClearFile, SnapshotFile},
    vault::Seal,
};

/// A follower's disk may be slow; heartbeats go their own way meanwhile.
const APPEND_LIMIT: Duration = Duration::from_secs(5);
const PROBE_LIMIT: Duration = Duration::from_secs(1);
const CHUNK_LIMIT: Duration = Duration::from_secs(10);
/// To check a whole snapshot and take it over.
const INSTALL_LIMIT: Duration = Duration::from_secs(60);
/// Appends on their way to a follower at the same time: what was committed meanwhile, and what came after, need not wait
/// for the answer to what went before.
const APPENDS_AT_ONCE: usize = 8;
const CHUNK_BYTES: usize = 512 * 1024;

/// Makes connections.
pub(crate) struct Network {
    pub(crate) me: u64,
    pub(crate) peers: Arc<Peers>,
    /// What seals the snapshots that are sent.
    pub(crate) seal: Seal,
}

/// A connection to one server.
pub(crate) struct Peer {
    me: u64,
    peers: Arc<Peers>,
    seal: Seal,
    member: Member,
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, place: &Place) -> Peer {
        Peer {
            me: self.me,
            peers: self.peers.clone(),
            seal: self.seal.clone(),
            member: Member::at(target, place),
        }
    }
}

impl Peer {
    async fn ask(
        &self,
        request: &Request,
        action: RPCTypes,
        limit: Duration,
    ) -> Result<Reply, RPCError<Types>> {
        self.ask_on(Lane::Talk, request, action, limit).await
    }

    async fn ask_on(
        &self,
        lane: Lane,
        request: &Request,
        action: RPCTypes,
        limit: Duration,
    ) -> Result<Reply, RPCError<Types>> {
        let target = self.member.id;
        let member = self.peers.member(target).unwrap_or_else(|| self.member.clone());
        self.peers
            .ask_on(lane, &member, request, limit)
            .await
            .map_err(|error| match error {
                AskError::Unreachable(why) | AskError::Refused(why) => Unreachable::from_string(why).into(),
                AskError::Lost(why) => NetworkError::from_string(why).into(),
                AskError::TimedOut => Timeout {
                    action,
                    id: self.me,
                    target,
                    timeout: limit,
                }
                .into(),
            })
    }

    /// Sends entries, and tells whether the follower has all of them.
    async fn append(
        &self,
        lane: Lane,
        request: AppendEntriesRequest<Types>,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        let limit = if request.entries.is_empty() {
            PROBE_LIMIT
        } else {
            APPEND_LIMIT
        };
        let request = Request::Append(request);
        match self
            .ask_on(lane, &request, RPCTypes::AppendEntries, limit)
            .await?
        {
            Reply::Append(response) => Ok(response),
            _ => Err(nonsense()),
        }
    }

    /// As [`Self::append`], for one request of several that follow each other: how far the follower's log is known to be
    /// as the leader's.
    async fn append_next(
        &self,
        place: usize,
        request: AppendEntriesRequest<Types>,
    ) -> Result<StreamAppendResult<Types>, RPCError<Types>> {
        let prev = request.prev_log_id;
        let last = request.entries.last().map(|entry| entry.log_id).or(prev);
        let response = self.append(Lane::Log, request).await?;
        if place > 0 && response.is_conflict() {
            // The follower lacks what the request before brings: that has not lost anything, it comes later.
            return Err(NetworkError::from_string("it came before what goes before it").into());
        }
        Ok(response.into_stream_result(prev, last))
    }

    /// Sends a file piece by piece; the vote of the server that took it over.
    async fn send_file(&self, vote: Vote, mut file: ClearFile) -> Result<Vote, StreamingError<Types>> {
        let transfer = uuid::Uuid::new_v4().as_u64_pair().0;
        let mut offset = 0;
        loop {
            let (bytes, rest) = read_piece(file).await.map_err(|error| {
                NetworkError::from_string(format!("the snapshot cannot be read: {error}"))
            })?;
            file = rest;
            let last = bytes.len() < CHUNK_BYTES;
            let limit = if last { INSTALL_LIMIT } else { CHUNK_LIMIT };
            let len = bytes.len() as u64;
            let chunk = Chunk {
                vote,
                transfer,
                offset,
                bytes,
                last,
            };
            let reply = self
                .ask(&Request::Snapshot(chunk), RPCTypes::InstallSnapshot, limit)
                .await?;
            match reply {
                Reply::Snapshot(ChunkReply::Written) if !last => offset += len,
                Reply::Snapshot(ChunkReply::Installed(vote)) => return Ok(vote),
                Reply::Snapshot(_) => {
                    return Err(NetworkError::from_string("the pieces of the snapshot got mixed up").into());
                }
                _ => return Err(StreamingError::from(nonsense())),
            }
        }
    }
}

impl RaftNetworkV2<Types> for Peer {
    type SnapshotData = SnapshotFile;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        _: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        self.append(Lane::Talk, request).await
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        _: RPCOption,
    ) -> BoxFuture<
        's,
        Result<BoxStream<'s, Result<StreamAppendResult<Types>, RPCError<Types>>>, RPCError<Types>>,
    >
    where
        S: Stream<Item = AppendEntriesRequest<Types>> + OptionalSend + Unpin + 'static,
    {
        let peer = &*self;
        let answers = Patient::new(input)
            .enumerate()
            .map(move |(place, request)| peer.append_next(place, request))
            .buffered(APPENDS_AT_ONCE);
        Box::pin(ready(Ok(Box::pin(answers) as BoxStream<'s, _>)))
    }

    async fn vote(
        &mut self,
        request: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        match self
            .ask(&Request::Vote(request), RPCTypes::Vote, option.hard_ttl())
            .await?
        {
            Reply::Vote(response) => Ok(response),
            _ => Err(nonsense()),
        }
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        match self
            .ask(&Request::PreVote(request), RPCTypes::Vote, option.hard_ttl())
            .await?
        {
            Reply::Vote(response) => Ok(response),
            _ => Err(nonsense()),
        }
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: SnapshotOf<Types, SnapshotFile>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        // Once open, the file can be read to its end even where a newer snapshot has replaced it.
        // It goes over the wire in the clear: each server seals with a key of its own.
        let file = snapshot::open(&snapshot.snapshot.path, &self.seal)
            .map_err(|error| NetworkError::from_string(format!("the snapshot cannot be read: {error}")))?;
        match select(pin!(self.send_file(vote, file)), pin!(cancel)).await {
            Either::Left((sent, _)) => sent.map(SnapshotResponse::new),
            Either::Right((closed, _)) => Err(closed.into()),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<Types>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types>, RPCError<Types>> {
        let request = Request::TransferLeader(request);
        match self
            .ask(&request, RPCTypes::TransferLeader, option.hard_ttl())
            .await?
        {
            Reply::TransferLeader(response) => Ok(response),
            _ => Err(nonsense()),
        }
    }
}

fn nonsense() -> RPCError<Types> {
    NetworkError::from_string("the answer is to another question").into()
}

/// The next piece of a file; shorter than the others where it is the last.
async fn read_piece(mut file: ClearFile) -> io::Result<(Bytes, ClearFile)> {
    let read = move || {
        let mut bytes = Vec::with_capacity(CHUNK_BYTES);
        file.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut bytes)?;
        Ok((bytes.into(), file))
    };
    blocking(read).await?
}
