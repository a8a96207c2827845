//! Who a certificate speaks for, and how its subject says so.

use std::fmt;

use skep_api::names;

/// The group whose members may do everything.
pub const ADMINS: &str = "system:masters";

const SERVERS: &str = "skep:servers";
const SERVER_PREFIX: &str = "server:";
const NODES: &str = "system:nodes";
const NODE_PREFIX: &str = "system:node:";

/// Longest name in a subject (RFC 5280, `ub-common-name` and `ub-organization-name`).
const NAME_CHARS_MAX: usize = 64;

/// Longest name of a node: longer than the standard's bound on a common name, as Kubernetes has it too.
const NODE_CHARS_MAX: usize = 253;

/// Separates the groups of a user in the subject's organization.
const GROUPS_SEPARATOR: char = ',';

/// Who a certificate speaks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// A server of the control plane (O=`skep:servers`, CN=`server:ID`, OU=the name).
    Server {
        /// Its number; never given twice.
        id: u64,
        /// Its name, for people.
        name: String,
    },
    /// A node's agent (O=`system:nodes`, CN=`system:node:NAME`).
    Node {
        /// The node's name.
        name: String,
    },
    /// A person or a program (O=the groups, CN=the name).
    User {
        /// Its name.
        name: String,
        /// The groups that its rights come from.
        groups: Vec<String>,
    },
}

/// The parts of a subject that make an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subject {
    pub organizations: Vec<String>,
    pub unit: String,
    pub common_name: String,
}

impl Identity {
    /// A user who may do everything.
    pub fn admin(name: impl Into<String>) -> Self {
        Self::User {
            name: name.into(),
            groups: vec![ADMINS.to_owned()],
        }
    }

    /// True for a user who may do everything.
    pub fn is_admin(&self) -> bool {
        matches!(self, Self::User { groups, .. } if groups.iter().any(|group| group == ADMINS))
    }

    /// What stands against a certificate for this identity, if anything: a name that is empty, too long, or would be read
    /// back as another identity.
    pub fn problem(&self) -> Option<String> {
        let problem = match self {
            Self::Server { name, .. } => words_problem(name),
            Self::Node { name } => node_problem(name),
            Self::User { name, groups } => words_problem(name).or_else(|| groups_problem(groups)),
        };
        problem.or_else(|| {
            let read_back = Self::from_subject(&self.subject());
            (read_back.as_ref() != Some(self)).then(|| "the name is reserved".to_owned())
        })
    }

    pub(crate) fn subject(&self) -> Subject {
        match self {
            Self::Server { id, name } => Subject {
                organizations: vec![SERVERS.to_owned()],
                unit: name.clone(),
                common_name: format!("{SERVER_PREFIX}{id}"),
            },
            Self::Node { name } => Subject {
                organizations: vec![NODES.to_owned()],
                unit: String::new(),
                common_name: format!("{NODE_PREFIX}{name}"),
            },
            Self::User { name, groups } => Subject {
                organizations: vec![groups.join(&GROUPS_SEPARATOR.to_string())],
                unit: String::new(),
                common_name: name.clone(),
            },
        }
    }

    /// Reads a subject; `None` for one that mixes kinds or makes no sense.
    pub(crate) fn from_subject(subject: &Subject) -> Option<Self> {
        let groups: Vec<String> = subject
            .organizations
            .iter()
            .flat_map(|organization| organization.split(GROUPS_SEPARATOR))
            .filter(|group| !group.is_empty())
            .map(str::to_owned)
            .collect();
        let name = subject.common_name.as_str();
        let only = |group: &str| groups.len() == 1 && groups[0] == group;
        if let Some(id) = name.strip_prefix(SERVER_PREFIX) {
            let id = id.parse().ok().filter(|_| only(SERVERS))?;
            return Some(Self::Server {
                id,
                name: subject.unit.clone(),
            });
        }
        if let Some(node) = name.strip_prefix(NODE_PREFIX) {
            return (only(NODES) && !node.is_empty()).then(|| Self::Node {
                name: node.to_owned(),
            });
        }
        let reserved = |group: &String| group == SERVERS || group == NODES;
        if name.is_empty() || groups.iter().any(reserved) {
            return None;
        }
        Some(Self::User {
            name: name.to_owned(),
            groups,
        })
    }
}

fn words_problem(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("the name is empty".to_owned());
    }
    if name.chars().count() > NAME_CHARS_MAX {
        return Some(format!("a name may have {NAME_CHARS_MAX} characters"));
    }
    name.chars()
        .any(char::is_control)
        .then(|| "a name may not have control characters".to_owned())
}

fn node_problem(name: &str) -> Option<String> {
    if name.len() > NODE_CHARS_MAX {
        return Some(format!("the name of a node may have {NODE_CHARS_MAX} characters"));
    }
    names::dns_subdomain(name).map(|problem| format!("the name of the node {problem}"))
}

fn groups_problem(groups: &[String]) -> Option<String> {
    let joined: usize = groups.iter().map(|group| group.chars().count() + 1).sum();
    if joined > NAME_CHARS_MAX + 1 {
        return Some(format!(
            "the groups may have {NAME_CHARS_MAX} characters in total"
        ));
    }
    groups.iter().find_map(|group| words_problem(group))
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server { id, name } => write!(f, "server {id} ({name})"),
            Self::Node { name } => write!(f, "node {name}"),
            Self::User { name, .. } => write!(f, "user {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, groups: &[&str]) -> Identity {
        Identity::User {
            name: name.to_owned(),
            groups: groups.iter().copied().map(str::to_owned).collect(),
        }
    }

    #[test]
    fn a_subject_reads_back_as_the_identity_that_it_was_made_of() {
        let identities = [
            Identity::Server {
                id: 3,
                name: "alpha".to_owned(),
            },
            Identity::Node {
                name: "worker-1.example".to_owned(),
            },
            user("ann", &["dev", "ops"]),
            user("bob", &[]),
            Identity::admin("root"),
        ];
        for identity in identities {
            assert_eq!(identity.problem(), None);
            assert_eq!(Identity::from_subject(&identity.subject()), Some(identity));
        }
    }

    #[test]
    fn no_user_can_be_named_like_a_machine() {
        for reserved in [
            user("server:1", &["skep:servers"]),
            user("server:1", &[]),
            user("system:node:a", &["system:nodes"]),
            user("ann", &["skep:servers"]),
            user("ann", &["dev,skep:servers"]),
            user("ann", &["system:nodes"]),
        ] {
            assert!(reserved.problem().is_some(), "{reserved:?}");
        }
    }

    #[test]
    fn a_subject_that_mixes_kinds_is_nobody() {
        let subject = Subject {
            organizations: vec!["system:nodes".to_owned(), ADMINS.to_owned()],
            unit: String::new(),
            common_name: "system:node:a".to_owned(),
        };
        assert_eq!(Identity::from_subject(&subject), None);
    }
}
