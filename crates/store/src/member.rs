//! The servers of a cluster.

use serde::{Deserialize, Serialize};

/// A server, as the others know it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Its number: never used again, even by the same machine with an empty folder.
    pub id: u64,
    /// Its name, for people. A server that is promoted takes the place of a voter with the same name.
    pub name: String,
    /// Where the others reach it, as `host:port`; empty for a server that is alone.
    pub address: String,
}

/// What part a server has in consensus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// It votes, and may lead.
    Voter,
    /// It follows, and does not count for a majority.
    Learner,
}

/// A server, and how it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    /// Which server.
    pub member: Member,
    /// Its part.
    pub role: Role,
    /// True for the one that leads.
    pub leads: bool,
    /// How many entries of the log it lacks, as the leader last heard; `None` where the leader did not hear from it
    /// lately, or where this server cannot reach the leader to ask.
    pub reached: Option<u64>,
}

/// What the log remembers of a server besides its number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) addr: String,
}

impl Member {
    /// A server of this number, name and `host:port`.
    pub fn new(id: u64, name: impl Into<String>, address: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            address: address.into(),
        }
    }

    pub(crate) fn at(id: u64, place: &Place) -> Self {
        Self::new(id, &place.name, &place.addr)
    }

    pub(crate) fn place(&self) -> Place {
        Place {
            name: self.name.clone(),
            addr: self.address.clone(),
        }
    }
}
