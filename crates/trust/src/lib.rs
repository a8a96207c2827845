//! Who is who: the cluster's CA, certificates, join tokens, TLS configurations, and sealing of what rests on disk.
//!
//! Every machine makes its own key ([`KeyPairFile`]) and asks for a certificate with a CSR; a [`Ca`] issues it for an
//! [`Identity`]. [`Tls`] turns [`Credentials`] into configurations that follow a renewal or a new CA without a restart.

mod bundle;
mod ca;
mod certificate;
mod channel;
mod credentials;
mod enroll;
mod error;
mod files;
mod gathered;
mod identity;
mod key;
mod patient;
mod pin;
mod proof;
mod random;
mod renew;
mod seal;
mod tls;
mod token;
mod wire;

pub use bundle::Bundle;
pub use ca::{Ca, Validity, key_of_csr};
pub use certificate::{Certificate, identity_of};
pub use channel::{Connection, Connector, endpoint};
pub use credentials::Credentials;
pub use enroll::{EnrollError, Joined, Renewed, join, renew};
pub use error::TrustError;
pub use gathered::Gathered;
pub use identity::{ADMINS, Identity};
pub use key::KeyPairFile;
pub use patient::Patient;
pub use pin::{CaHash, pinned_client_config};
pub use proof::{prove, verify_proof};
pub use renew::renew_at;
pub use seal::{KeyFile, Keys, LockedKey, PassphraseKey, SealError, Sealer};
pub use tls::{Tls, install_crypto};
pub use token::{JoinRole, Token};
pub use wire::{Connecting, Io, Listener, Network, Stream, Wire};
