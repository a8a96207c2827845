//! What can go wrong between the agent and the engine.

/// Why the engine did not do it. Messages are the engine's own words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// The engine does not answer; worth a retry.
    #[error("the engine does not answer: {0}")]
    Unavailable(String),
    /// No such container or image.
    #[error("{0}")]
    NotFound(String),
    /// The registry wants other credentials.
    #[error("{0}")]
    Unauthorized(String),
    /// The address is held by another container, which may still be ending; worth a retry.
    #[error("{0}")]
    AddressInUse(String),
    /// The engine may not give a process this OOM score, for lack of CAP_SYS_RESOURCE; worth another try
    /// with a score of 0.
    #[error("{0}")]
    OomScore(String),
    /// The engine refused or failed.
    #[error("{0}")]
    Engine(String),
}
