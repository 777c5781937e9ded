//! What goes wrong, on either side of a provider.

use std::fmt;

use cofferdam_abi::Status;
use thiserror::Error;

/// A provider's own refusal, in words that whoever called can act on. It crosses to the caller as it is: no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// The words.
    pub fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// The answer to an operation that the contract does not have.
    pub fn unknown_operation(operation: &str) -> Self {
        Self(format!("unknown operation {operation:?}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    /// The error with its causes, so that nothing is lost.
    fn from(error: E) -> Self {
        let mut words = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            words.push_str(": ");
            words.push_str(&error.to_string());
            cause = error.source();
        }
        Self(words)
    }
}

/// Why something that a provider asked of the host did not happen. The text says more, for people.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// The actor answered with an error, or trapped.
    #[error("{0}")]
    Failed(String),
    /// Not granted, not linked or not authorized.
    #[error("{0}")]
    Denied(String),
    /// The deadline passed; whether the actor did it is unknown.
    #[error("{0}")]
    Late(String),
    /// Not delivered; may be tried again.
    #[error("{0}")]
    Unavailable(String),
    /// The request breaks a rule or a limit.
    #[error("{0}")]
    Invalid(String),
    /// This side gave it up.
    #[error("cancelled")]
    Cancelled,
    /// The host or the shim is wrong.
    #[error("internal error: {0}")]
    Internal(String),
}

impl CallError {
    pub(crate) fn from_status(status: Status, words: Vec<u8>) -> Self {
        let words = String::from_utf8(words).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into());
        match status {
            Status::FAILED | Status::PANICKED => Self::Failed(words),
            Status::DENIED => Self::Denied(words),
            Status::LATE => Self::Late(words),
            Status::UNAVAILABLE => Self::Unavailable(words),
            Status::INVALID => Self::Invalid(words),
            Status::CANCELLED => Self::Cancelled,
            _ => Self::Internal(words),
        }
    }
}
