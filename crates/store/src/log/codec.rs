//! How log entries and votes look on disk.

use std::io::{self, Read, Write};

use openraft::{
    EntryPayload,
    vote::{RaftLeaderId, RaftVote},
};
use raft_log::codeq::{Decode, Encode};

use crate::raft::{Command, LogId, Payload, Vote, log_id};

/// No payload is larger than this; a longer one is a damaged length.
const PAYLOAD_BYTES_MAX: u32 = 256 * 1024 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogIdRecord(pub(crate) LogId);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(crate) struct VoteRecord(pub(crate) Vote);

#[derive(Clone, Debug)]
pub(crate) struct PayloadRecord(pub(crate) Payload);

impl PayloadRecord {
    pub(crate) fn len(&self) -> usize {
        match &self.0 {
            EntryPayload::Blank => 0,
            EntryPayload::Normal(command) => command.json().len(),
            EntryPayload::Membership(_) => 256,
        }
    }
}

impl Encode for LogIdRecord {
    fn encode<W: Write>(&self, mut w: W) -> Result<usize, io::Error> {
        write_u64s(&mut w, [self.0.committed_leader_id().term, 0, self.0.index])
    }
}

impl Decode for LogIdRecord {
    fn decode<R: Read>(mut r: R) -> Result<Self, io::Error> {
        let [term, _, index] = read_u64s(&mut r)?;
        Ok(Self(log_id(term, index)))
    }
}

impl Encode for VoteRecord {
    fn encode<W: Write>(&self, mut w: W) -> Result<usize, io::Error> {
        let leader = self.0.leader_id();
        write_u64s(
            &mut w,
            [leader.term(), *leader.node_id(), u64::from(self.0.is_committed())],
        )
    }
}

impl Decode for VoteRecord {
    fn decode<R: Read>(mut r: R) -> Result<Self, io::Error> {
        let [term, node, committed] = read_u64s(&mut r)?;
        Ok(Self(Vote::from_leader_id(
            RaftLeaderId::new(term, node),
            committed == 1,
        )))
    }
}

/// A tag, the length, a checksum of both, then the bytes. The checksum tells a damaged length from a torn end: only the
/// latter may be cut off.
impl Encode for PayloadRecord {
    fn encode<W: Write>(&self, mut w: W) -> Result<usize, io::Error> {
        match &self.0 {
            EntryPayload::Blank => write_payload(&mut w, 0, &[]),
            EntryPayload::Normal(command) => write_payload(&mut w, 1, command.json()),
            EntryPayload::Membership(membership) => {
                write_payload(&mut w, 2, &serde_json::to_vec(membership)?)
            }
        }
    }
}

impl Decode for PayloadRecord {
    fn decode<R: Read>(mut r: R) -> Result<Self, io::Error> {
        let (tag, bytes) = read_payload(&mut r)?;
        let payload = match tag {
            0 => EntryPayload::Blank,
            1 => EntryPayload::Normal(Command::from_json(bytes.into())),
            2 => EntryPayload::Membership(serde_json::from_slice(&bytes)?),
            _ => return Err(damaged(format!("unknown kind of entry {tag}"))),
        };
        Ok(Self(payload))
    }
}

fn write_payload(w: &mut impl Write, tag: u8, bytes: &[u8]) -> io::Result<usize> {
    let len = u32::try_from(bytes.len()).map_err(|_| damaged("the entry is too large".to_owned()))?;
    let head = payload_head(tag, len);
    w.write_all(&head)?;
    w.write_all(&crc32fast::hash(&head).to_be_bytes())?;
    w.write_all(bytes)?;
    Ok(head.len() + 4 + bytes.len())
}

fn read_payload(r: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let [mut head, mut sum] = [[0; 5], [0; 5]];
    r.read_exact(&mut head)?;
    r.read_exact(&mut sum[..4])?;
    let [tag, len @ ..] = head;
    let len = u32::from_be_bytes(len);
    if sum[..4] != crc32fast::hash(&head).to_be_bytes() || len > PAYLOAD_BYTES_MAX {
        return Err(damaged(
            "the length of an entry does not match its checksum".to_owned(),
        ));
    }
    let mut bytes = vec![0; len as usize];
    r.read_exact(&mut bytes)?;
    Ok((tag, bytes))
}

fn payload_head(tag: u8, len: u32) -> [u8; 5] {
    let [a, b, c, d] = len.to_be_bytes();
    [tag, a, b, c, d]
}

fn write_u64s<const N: usize>(w: &mut impl Write, numbers: [u64; N]) -> io::Result<usize> {
    for number in numbers {
        w.write_all(&number.to_be_bytes())?;
    }
    Ok(8 * N)
}

fn read_u64s<const N: usize>(r: &mut impl Read) -> io::Result<[u64; N]> {
    let mut numbers = [0; N];
    for number in &mut numbers {
        let mut bytes = [0; 8];
        r.read_exact(&mut bytes)?;
        *number = u64::from_be_bytes(bytes);
    }
    Ok(numbers)
}

fn damaged(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
