//! What a snapshot covers, as it is written: a form of our own, whatever consensus makes of it.

use serde::{Deserialize, Serialize};

use crate::{
    Member,
    numbers::Numbers,
    raft::{LogId, Members, Membership, SnapshotMeta, log_id},
};

/// What stands before the records of the state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub(crate) struct Head {
    pub(crate) meta: SnapshotMeta,
    /// The cluster it was taken in; empty where an old version wrote it.
    pub(crate) cluster_id: String,
    /// The numbers that servers have had.
    pub(crate) numbers: Numbers,
}

impl Head {
    /// The servers of the cluster.
    pub(crate) fn members(&self) -> Vec<Member> {
        let nodes = self.meta.last_membership.nodes();
        nodes.map(|(id, place)| Member::at(*id, place)).collect()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    meta: WrittenMeta,
    #[serde(default)]
    cluster_id: String,
    #[serde(default)]
    ids_max: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ids_passed_over: Vec<u64>,
}

#[derive(Serialize, Deserialize)]
struct WrittenMeta {
    last_log_id: Option<WrittenId>,
    last_membership: WrittenMembership,
}

#[derive(Serialize, Deserialize)]
struct WrittenMembership {
    log_id: Option<WrittenId>,
    membership: Members,
}

#[derive(Serialize, Deserialize)]
struct WrittenId {
    leader_id: WrittenLeader,
    index: u64,
}

#[derive(Serialize, Deserialize)]
struct WrittenLeader {
    term: u64,
}

impl From<Written> for Head {
    fn from(written: Written) -> Self {
        let WrittenMeta {
            last_log_id,
            last_membership,
        } = written.meta;
        let members = last_membership.membership;
        let ids = || members.nodes().map(|(id, _)| *id);
        // The first version did not say: all up to the greatest that it names count as used.
        let greatest = written.ids_max.max(ids().max().unwrap_or(0));
        let mut numbers = Numbers::new(greatest, written.ids_passed_over);
        numbers.note(ids());
        Self {
            meta: SnapshotMeta {
                last_log_id: last_log_id.map(Into::into),
                last_membership: Membership::new(last_membership.log_id.map(Into::into), members),
            },
            cluster_id: written.cluster_id,
            numbers,
        }
    }
}

impl From<Head> for Written {
    fn from(head: Head) -> Self {
        let membership = head.meta.last_membership;
        Self {
            meta: WrittenMeta {
                last_log_id: head.meta.last_log_id.map(Into::into),
                last_membership: WrittenMembership {
                    log_id: membership.log_id().map(Into::into),
                    membership: membership.membership().clone(),
                },
            },
            cluster_id: head.cluster_id,
            ids_max: head.numbers.greatest(),
            ids_passed_over: head.numbers.passed_over(),
        }
    }
}

impl From<WrittenId> for LogId {
    fn from(written: WrittenId) -> Self {
        log_id(written.leader_id.term, written.index)
    }
}

impl From<LogId> for WrittenId {
    fn from(id: LogId) -> Self {
        Self {
            leader_id: WrittenLeader {
                term: id.committed_leader_id().term,
            },
            index: id.index,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_of_the_first_version_is_understood() {
        let written = r#"{"meta":{"last_log_id":{"leader_id":{"term":2,"node_id":1},"index":7},
            "last_membership":{"log_id":{"leader_id":{"term":0,"node_id":1},"index":0},
            "membership":{"configs":[[1]],"nodes":{"1":{"addr":""}}}}}}"#;
        let head: Head = serde_json::from_str(written).unwrap();
        assert_eq!(head.meta.last_log_id, Some(log_id(2, 7)));
        assert_eq!(head.numbers, Numbers::new(1, []));
        assert_eq!(head.members(), vec![Member::new(1, "", "")]);
    }

    #[test]
    fn a_head_is_read_as_it_was_written() {
        let members = serde_json::from_str(
            r#"{"configs":[[1,4]],"nodes":{"1":{"name":"a","addr":"a:1"},"4":{"name":"b","addr":"b:1"}}}"#,
        );
        let head = Head {
            meta: SnapshotMeta {
                last_log_id: Some(log_id(3, 9)),
                last_membership: Membership::new(Some(log_id(2, 5)), members.unwrap()),
            },
            cluster_id: "c".to_owned(),
            numbers: Numbers::new(6, [3, 5]),
        };
        let written = serde_json::to_vec(&head).unwrap();
        assert_eq!(serde_json::from_slice::<Head>(&written).unwrap(), head);
    }
}
