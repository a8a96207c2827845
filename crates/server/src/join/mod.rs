//! How machines and people become known to the cluster: the CA in the cluster's state, join tokens, certificates.
//!
//! The CA and the tokens are Secrets in `kube-system`, so every server can let others in and renews its own certificate
//! without asking anybody.

mod authorities;
mod held;
mod lifetimes;
mod own;
mod service;
mod tokens;
mod trust;

use skep_api::{Time, proto::ErrorDetail, status};
use tonic::{Code, Status};

pub(crate) use authorities::{CA_SECRET, found};
pub(crate) use held::{CERTIFICATE_ANNOTATION, own as own_certificate, shown_by_node};
pub(crate) use lifetimes::MACHINE_LIFETIME;
pub(crate) use own::{keep_credentials, server_names};
pub(crate) use service::JoinService;
pub(crate) use trust::TrustService;

use crate::core::Core;

/// How often a write that loses a race is tried again.
const ATTEMPTS: u32 = 16;

/// The caller may not do this, whoever it says it is.
fn denied(message: impl Into<String>) -> Status {
    let detail = ErrorDetail {
        reason: "Forbidden".to_owned(),
        message: message.into(),
        ..ErrorDetail::default()
    };
    status::with_detail(Code::PermissionDenied, detail)
}

/// Where the servers are reached, `host:port`, as far as this one knows.
fn servers(core: &Core) -> Vec<String> {
    let members = core.store.peers();
    let members = members.borrow();
    let addresses = members.iter().map(|member| &member.address);
    addresses.filter(|address| !address.is_empty()).cloned().collect()
}

/// Milliseconds since the Unix epoch; 0 for never.
fn millis(time: Option<Time>) -> i64 {
    time.map_or(0, Time::as_millis)
}
