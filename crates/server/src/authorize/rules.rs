//! The rules, as one table.

use skep_api::{proto::ErrorDetail, status};
use skep_trust::Identity;
use tonic::{Code, Status};

/// Whom a rule lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Anybody,
    Nodes,
    Servers,
    /// Nodes and servers.
    Machines,
    /// All who show a certificate.
    Known,
}

/// Service, method (`*`: each), and whom besides administrators they are for.
const RULES: [(&str, &str, Who); 10] = [
    ("grpc.health.v1.Health", "*", Who::Anybody),
    ("skep.v1.Join", "Join", Who::Anybody),
    ("skep.v1.Join", "Rejoin", Who::Anybody),
    ("skep.v1.Join", "Renew", Who::Machines),
    ("skep.v1.Node", "*", Who::Nodes),
    ("skep.v1.Raft", "*", Who::Servers),
    ("skep.v1.Peer", "*", Who::Servers),
    ("skep.v1.Cluster", "Info", Who::Known),
    ("skep.v1.Cluster", "ApiResources", Who::Known),
    ("skep.v1.Cluster", "Explain", Who::Known),
];

/// Services between machines: not even administrators speak for a machine.
const MACHINES_ONLY: [&str; 3] = ["skep.v1.Node", "skep.v1.Raft", "skep.v1.Peer"];

/// Decides on a call of `path` (`/SERVICE/METHOD`) by `caller`; `None` is one who showed no certificate.
pub(super) fn check(caller: Option<&Identity>, path: &str) -> Result<(), Box<Status>> {
    let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
    let rule = RULES
        .iter()
        .find(|(of, name, _)| *of == service && (*name == "*" || *name == method));
    let allowed = rule.is_some_and(|(_, _, who)| who.includes(caller));
    if allowed || (is_admin(caller) && !MACHINES_ONLY.contains(&service)) {
        return Ok(());
    }
    Err(Box::new(match caller {
        None => unauthenticated("a certificate of this cluster is needed for this"),
        Some(caller) => forbidden(format!("{caller} may not call {service}.{method}")),
    }))
}

impl Who {
    fn includes(self, caller: Option<&Identity>) -> bool {
        match (self, caller) {
            (Self::Anybody, _)
            | (Self::Known, Some(_))
            | (Self::Nodes | Self::Machines, Some(Identity::Node { .. }))
            | (Self::Servers | Self::Machines, Some(Identity::Server { .. })) => true,
            (Self::Known | Self::Nodes | Self::Servers | Self::Machines, _) => false,
        }
    }
}

fn is_admin(caller: Option<&Identity>) -> bool {
    caller.is_some_and(Identity::is_admin)
}

pub(super) fn forbidden(message: String) -> Status {
    let detail = ErrorDetail {
        reason: "Forbidden".to_owned(),
        message,
        ..ErrorDetail::default()
    };
    status::with_detail(Code::PermissionDenied, detail)
}

pub(super) fn unauthenticated(message: &str) -> Status {
    let detail = ErrorDetail {
        reason: "Unauthorized".to_owned(),
        message: message.to_owned(),
        ..ErrorDetail::default()
    };
    status::with_detail(Code::Unauthenticated, detail)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn callers() -> [(&'static str, Option<Identity>); 5] {
        let name = "a".to_owned();
        let server = Identity::Server {
            id: 1,
            name: name.clone(),
        };
        let user = Identity::User {
            name: name.clone(),
            groups: vec!["dev".to_owned()],
        };
        [
            ("nobody", None),
            ("node", Some(Identity::Node { name })),
            ("server", Some(server)),
            ("user", Some(user)),
            ("admin", Some(Identity::admin("root"))),
        ]
    }

    #[test]
    fn each_may_call_what_it_needs_and_nothing_else() {
        let paths = [
            "/grpc.health.v1.Health/Check",
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            "/skep.v1.Join/Join",
            "/skep.v1.Join/Rejoin",
            "/skep.v1.Join/Renew",
            "/skep.v1.Node/Session",
            "/skep.v1.Node/Tunnel",
            "/skep.v1.Raft/Call",
            "/skep.v1.Peer/Enter",
            "/skep.v1.Cluster/Info",
            "/skep.v1.Cluster/List",
            "/skep.v1.Cluster/Exec",
            "/skep.v1.Members/Remove",
            "/skep.v1.Trust/CreateToken",
            "/skep.v1.Nodes/Session",
            "",
        ];
        let line = |path: &str| {
            let may = callers()
                .into_iter()
                .filter(|(_, caller)| check(caller.as_ref(), path).is_ok());
            let may: Vec<_> = may.map(|(name, _)| name).collect();
            format!("{path}: {}\n", may.join(" "))
        };
        let table: String = paths.into_iter().map(line).collect();
        expect![[r#"
            /grpc.health.v1.Health/Check: nobody node server user admin
            /grpc.reflection.v1.ServerReflection/ServerReflectionInfo: admin
            /skep.v1.Join/Join: nobody node server user admin
            /skep.v1.Join/Rejoin: nobody node server user admin
            /skep.v1.Join/Renew: node server admin
            /skep.v1.Node/Session: node
            /skep.v1.Node/Tunnel: node
            /skep.v1.Raft/Call: server
            /skep.v1.Peer/Enter: server
            /skep.v1.Cluster/Info: node server user admin
            /skep.v1.Cluster/List: admin
            /skep.v1.Cluster/Exec: admin
            /skep.v1.Members/Remove: admin
            /skep.v1.Trust/CreateToken: admin
            /skep.v1.Nodes/Session: admin
            : admin
        "#]]
        .assert_eq(&table);
    }
}
