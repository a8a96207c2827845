//! How log entries and votes look on disk.

use std::{
    io::{self, Read, Write},
    sync::Arc,
};

use openraft::{
    EntryPayload,
    vote::{RaftLeaderId, RaftVote},
};
use raft_log::codeq::{Decode, Encode};

use crate::{
    raft::{Command, LogId, Payload, Vote, log_id},
    vault::{Seal, VaultError},
};

/// No payload is larger than this; a longer one is a damaged length.
const PAYLOAD_BYTES_MAX: u32 = 256 * 1024 * 1024;

const BLANK: u8 = 0;
const NORMAL: u8 = 1;
const MEMBERSHIP: u8 = 2;
/// Set in the tag of what is sealed.
const SEALED: u8 = 0x80;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogIdRecord(pub(crate) LogId);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(crate) struct VoteRecord(pub(crate) Vote);

/// An entry's payload. What was written by this process is kept as it is; what was read is opened only when asked for.
#[derive(Clone, Debug)]
pub(crate) enum PayloadRecord {
    Clear(Payload, Seal, LogId),
    Sealed(u8, Arc<[u8]>),
}

impl PayloadRecord {
    /// A payload that is sealed for its place in the log on its way to the disk.
    pub(crate) fn new(payload: Payload, seal: &Seal, id: LogId) -> Self {
        Self::Clear(payload, seal.clone(), id)
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Clear(EntryPayload::Blank, ..) => 0,
            Self::Clear(EntryPayload::Normal(command), ..) => command.json().len(),
            Self::Clear(EntryPayload::Membership(_), ..) => 256,
            Self::Sealed(_, bytes) => bytes.len(),
        }
    }

    /// The payload of the entry with this id.
    pub(crate) fn open(self, seal: &Seal, id: LogId) -> io::Result<Payload> {
        let (tag, sealed) = match self {
            Self::Clear(payload, written_by, _) => {
                if written_by.vault().is_none() {
                    seal.pass_clear().map_err(|why| at(id, why))?;
                }
                return Ok(payload);
            }
            Self::Sealed(tag, sealed) => (tag, sealed),
        };
        let plain = seal.open(&place(tag, id), &sealed).map_err(|why| at(id, why))?;
        decoded(tag, plain)
    }
}

/// What an entry is sealed for: its kind, and its place in the log.
fn place(tag: u8, id: LogId) -> [u8; 20] {
    let mut place = *b"log                 ";
    place[3] = tag;
    place[4..12].copy_from_slice(&id.committed_leader_id().term.to_be_bytes());
    place[12..].copy_from_slice(&id.index.to_be_bytes());
    place
}

fn at(id: LogId, why: io::Error) -> io::Error {
    if VaultError::no_key_in(&why).is_some() {
        return why;
    }
    io::Error::new(why.kind(), format!("entry {}: {why}", id.index))
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
        match self {
            Self::Clear(EntryPayload::Blank, seal, id) => write_entry(&mut w, BLANK, &[], seal, *id),
            Self::Clear(EntryPayload::Normal(command), seal, id) => {
                write_entry(&mut w, NORMAL, command.json(), seal, *id)
            }
            Self::Clear(EntryPayload::Membership(membership), seal, id) => {
                write_entry(&mut w, MEMBERSHIP, &serde_json::to_vec(membership)?, seal, *id)
            }
            Self::Sealed(tag, bytes) => write_payload(&mut w, SEALED | tag, bytes),
        }
    }
}

impl Decode for PayloadRecord {
    fn decode<R: Read>(mut r: R) -> Result<Self, io::Error> {
        match read_payload(&mut r)? {
            (tag, bytes) if tag & SEALED != 0 => Ok(Self::Sealed(tag & !SEALED, bytes.into())),
            (tag, bytes) => Ok(Self::Clear(decoded(tag, bytes)?, Seal::default(), log_id(0, 0))),
        }
    }
}

fn decoded(tag: u8, bytes: Vec<u8>) -> io::Result<Payload> {
    match tag {
        BLANK => Ok(EntryPayload::Blank),
        NORMAL => Ok(EntryPayload::Normal(Command::from_json(bytes.into()))),
        MEMBERSHIP => Ok(EntryPayload::Membership(serde_json::from_slice(&bytes)?)),
        _ => Err(damaged(format!("unknown kind of entry {tag}"))),
    }
}

fn write_entry(w: &mut impl Write, tag: u8, bytes: &[u8], seal: &Seal, id: LogId) -> io::Result<usize> {
    match seal.vault() {
        None => write_payload(w, tag, bytes),
        Some(vault) => write_payload(w, SEALED | tag, &vault.seal(&place(tag, id), bytes)),
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::vault::testing::keyed;

    fn normal(bytes: &[u8]) -> Payload {
        EntryPayload::Normal(Command::from_json(bytes.into()))
    }

    fn written(payload: Payload, seal: &Seal, id: LogId) -> Vec<u8> {
        let mut bytes = Vec::new();
        let record = PayloadRecord::new(payload, seal, id);
        assert_eq!(record.encode(&mut bytes).unwrap(), bytes.len());
        bytes
    }

    fn read(bytes: &[u8], seal: &Seal, id: LogId) -> io::Result<Vec<u8>> {
        match PayloadRecord::decode(bytes)?.open(seal, id)? {
            EntryPayload::Normal(command) => Ok(command.json().to_vec()),
            other => Err(damaged(format!("{other:?}"))),
        }
    }

    #[test]
    fn a_record_is_opened_at_its_place_alone() {
        let (seal, here) = (keyed(1), log_id(2, 7));
        let bytes = written(normal(b"word"), &seal, here);
        assert!(!bytes.windows(4).any(|window| window == b"word"));
        assert_eq!(read(&bytes, &seal, here).unwrap(), b"word");
        for elsewhere in [log_id(2, 8), log_id(3, 7)] {
            let error = read(&bytes, &seal, elsewhere).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        }
        assert!(read(&bytes, &keyed(2), here).is_err());
        assert!(read(&bytes, &Seal::default(), here).is_err());
    }

    #[test]
    fn what_is_not_sealed_is_refused_where_all_else_is() {
        let (seal, here) = (keyed(1), log_id(2, 7));
        let bytes = written(normal(b"word"), &Seal::default(), here);
        assert_eq!(read(&bytes, &Seal::default(), here).unwrap(), b"word");
        assert!(read(&bytes, &seal, here).is_err());
        assert_eq!(read(&bytes, &seal.or_clear(), here).unwrap(), b"word");
    }

    #[test]
    fn entries_without_a_command_are_sealed_as_well() {
        let (seal, here) = (keyed(1), log_id(2, 7));
        let bytes = written(EntryPayload::Blank, &seal, here);
        assert!(bytes.len() > 9, "it carries its seal");
        let opened = PayloadRecord::decode(&bytes[..])
            .unwrap()
            .open(&seal, here)
            .unwrap();
        assert!(matches!(opened, EntryPayload::Blank));
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_refused_and_never_read(at in any::<prop::sample::Index>(), flip in 1u8..) {
            let (seal, here) = (keyed(1), log_id(2, 7));
            let mut bytes = written(normal(&[7; 300]), &seal, here);
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            prop_assert!(read(&bytes, &seal, here).is_err());
        }
    }
}
