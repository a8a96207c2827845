//! What can be wrong with certificates, keys and tokens.

use std::{io, path::PathBuf};

/// What can be wrong with certificates, keys and tokens.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// A certificate, key or CSR cannot be read.
    #[error("{what} cannot be read: {why}")]
    Unreadable {
        /// Such as `the CSR`.
        what: &'static str,
        /// Why, in words.
        why: String,
    },
    /// A certificate may not be issued for this.
    #[error("no certificate can be issued: {0}")]
    Refused(String),
    /// A certificate is not what it must be.
    #[error("the certificate is not accepted: {0}")]
    NotAccepted(String),
    /// A join token does not look like one.
    #[error("the join token is malformed: {0}; copy the whole of it, it begins with `skep1.`")]
    Token(&'static str),
    /// A file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl TrustError {
    pub(crate) fn unreadable(what: &'static str, why: impl std::fmt::Display) -> Self {
        Self::Unreadable {
            what,
            why: why.to_string(),
        }
    }
}
