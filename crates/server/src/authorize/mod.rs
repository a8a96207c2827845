//! Who may call what: decided at the TLS door, by the certificate that the caller shows.

mod layer;
mod rules;

use skep_trust::Identity;
use tonic::Status;

pub(crate) use layer::{Authorize, Caller};

/// Refuses a session in the name of another node than the certificate's. Doors without certificates let only those in who
/// may do everything.
pub(crate) fn check_own_node(caller: Option<&Identity>, node: &str) -> Result<(), Status> {
    match caller {
        Some(Identity::Node { name }) if name != node => Err(rules::forbidden(format!(
            "the certificate is of node {name}, which cannot speak for node {node}"
        ))),
        _ => Ok(()),
    }
}
