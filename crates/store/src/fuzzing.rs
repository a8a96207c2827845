//! The decoders of what comes from the disk and from other servers, for fuzzers: no part of the crate's interface.

use std::{fs, path::Path};

use raft_log::codeq::Decode;

use crate::{
    inspect,
    log::codec::{LogIdRecord, PayloadRecord, VoteRecord},
    peers::{Reply, Request, message::decode},
    raft::log_id,
    snapshot::framed,
    vault::Seal,
};

/// Any bytes as records of the log, and behind a head whose checksum is right.
pub fn log_record(bytes: &[u8]) {
    LogIdRecord::decode(bytes).ok();
    VoteRecord::decode(bytes).ok();
    open(bytes);
    if let Some((tag, rest)) = bytes.split_first() {
        let mut record = vec![*tag];
        record.extend(u32::try_from(rest.len()).unwrap_or(u32::MAX).to_be_bytes());
        record.extend(crc32fast::hash(&record).to_be_bytes());
        record.extend(rest);
        open(&record);
    }
}

fn open(bytes: &[u8]) {
    if let Ok(record) = PayloadRecord::decode(bytes) {
        record.open(&Seal::default(), log_id(1, 1)).ok();
    }
}

/// Any bytes as a message from another server, and as its answer.
pub fn peer_message(bytes: &[u8]) {
    decode::<Request>(bytes).ok();
    decode::<Reply>(bytes).ok();
}

/// Any bytes as a snapshot, and as what stands in one. The file is for this call alone.
pub fn snapshot(file: &Path, bytes: &[u8]) {
    let framed = framed(bytes).expect("memory takes all");
    for content in [bytes, &framed] {
        fs::write(file, content).expect("the folder takes files");
        inspect(file, None).ok();
    }
}
