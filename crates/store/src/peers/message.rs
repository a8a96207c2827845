//! What servers tell each other, and how it is written: a version, then a compact binary form.

use bytes::Bytes;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, TransferLeaderRequest, TransferLeaderResponse, VoteRequest,
    VoteResponse,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Member, MemberStatus, MembershipError, ProposeError, ReadError,
    folder::Origin,
    home::Home,
    raft::{Types, Vote},
};

/// The first byte of every message. Whoever speaks another version is refused, and says so.
const VERSION: u8 = 4;

/// What one server asks of another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    Append(AppendEntriesRequest<Types>),
    Vote(VoteRequest<Types>),
    PreVote(VoteRequest<Types>),
    TransferLeader(TransferLeaderRequest<Types>),
    Snapshot(Chunk),
    /// The JSON of a list of entries, for the leader.
    Propose(Bytes),
    /// The index up to which a read that begins now must have seen the log; for the leader.
    ReadIndex,
    /// For the leader.
    Manage(Manage),
}

/// A piece of a snapshot's file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Chunk {
    /// Of the leader that sends it.
    pub(crate) vote: Vote,
    /// The same for all pieces of a file; picked at random.
    pub(crate) transfer: u64,
    pub(crate) offset: u64,
    pub(crate) bytes: Bytes,
    /// True for the last piece: the file is complete, take it over.
    pub(crate) last: bool,
}

/// A change of the members or the leader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Manage {
    List,
    Add(Member),
    Promote(u64),
    Remove(u64),
    /// A server's new name or address.
    Update(Member),
    Transfer(Option<u64>),
}

/// The answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    Append(AppendEntriesResponse<Types>),
    Vote(VoteResponse<Types>),
    TransferLeader(TransferLeaderResponse<Types>),
    Snapshot(ChunkReply),
    /// Whether the log has the entries for good; what came of each, every server finds out when it applies them.
    Propose(Result<(), ProposeError>),
    ReadIndex(Result<u64, ReadError>),
    Manage(Result<Vec<MemberStatus>, MembershipError>),
    /// Nothing was done, and why.
    Refused(String),
}

/// What became of a piece of a snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum ChunkReply {
    Written,
    /// The pieces do not fit together: begin again.
    Begin,
    /// It has been taken over, or is needless; the vote of the server that answers.
    Installed(Vote),
}

/// Who writes to whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Envelope {
    version: u8,
    /// `None` where the writer has yet to join.
    pub(crate) origin: Option<Origin>,
    /// The server that it is meant for: another one may live at its address by now.
    pub(crate) to: u64,
    /// Of the writer's folder: a server that has lost its folder is not the one it was.
    pub(crate) mark: u64,
}

impl Envelope {
    pub(crate) fn new(home: &Home, to: u64) -> Self {
        Self {
            version: VERSION,
            origin: home.origin().cloned(),
            to,
            mark: home.mark(),
        }
    }
}

/// Writes a message.
pub(crate) fn encode(envelope: &Envelope, body: &impl Serialize) -> Bytes {
    let bytes = postcard::to_stdvec(&(envelope, body)).expect("messages hold nothing that cannot be written");
    bytes.into()
}

/// Reads a message.
///
/// # Errors
/// In words, for the one that sent it.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<(Envelope, T), String> {
    match bytes.first() {
        None => Err("the message is empty".to_owned()),
        Some(&VERSION) => {
            postcard::from_bytes(bytes).map_err(|error| format!("the message cannot be read: {error}"))
        }
        Some(other) => Err(format!(
            "the message is of version {other}, and this server knows version {VERSION} alone: run the same version of skep everywhere"
        )),
    }
}

#[cfg(test)]
mod tests {
    use openraft::entry::RaftEntry;
    use proptest::prelude::*;

    use super::*;
    use crate::raft::{Command, LogEntry, log_id};

    fn envelope() -> Envelope {
        let origin = Origin {
            cluster_id: "c".to_owned(),
            lineage: "l".to_owned(),
        };
        Envelope {
            version: VERSION,
            origin: Some(origin),
            to: 3,
            mark: 7,
        }
    }

    fn append() -> Request {
        let entry = LogEntry::new(
            log_id(3, 8),
            openraft::EntryPayload::Normal(Command::from_json(br#"{"x":1}"#.as_slice().into())),
        );
        Request::Append(AppendEntriesRequest {
            vote: Vote::new_committed(3, 2),
            prev_log_id: Some(log_id(2, 7)),
            entries: vec![entry, LogEntry::new(log_id(3, 9), openraft::EntryPayload::Blank)],
            leader_commit: None,
        })
    }

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let bytes = encode(&envelope(), &append());
        let (envelope, body) = decode::<Request>(&bytes).unwrap();
        assert_eq!(envelope.to, 3);
        assert_eq!(envelope.origin.unwrap().cluster_id, "c");
        let Request::Append(read) = body else {
            panic!("{body:?}")
        };
        assert_eq!(
            (read.vote, read.prev_log_id),
            (Vote::new_committed(3, 2), Some(log_id(2, 7)))
        );
        let openraft::EntryPayload::Normal(command) = &read.entries[0].payload else {
            panic!("{:?}", read.entries)
        };
        assert_eq!(command.json(), br#"{"x":1}"#);
    }

    #[test]
    fn another_version_is_refused_by_name() {
        let error = decode::<Request>(&[9, 1, 2]).unwrap_err();
        assert!(error.contains("version 9"), "{error}");
    }

    proptest! {
        #[test]
        fn no_bytes_upset_the_reader(bytes: Vec<u8>) {
            decode::<Request>(&bytes).ok();
            decode::<Reply>(&bytes).ok();
        }

        #[test]
        fn no_damage_upsets_the_reader(at in any::<prop::sample::Index>(), flip in 1u8..) {
            let mut bytes = encode(&envelope(), &append()).to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            decode::<Request>(&bytes).ok();
        }
    }
}
