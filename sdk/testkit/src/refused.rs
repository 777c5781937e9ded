//! A status other than OK, with its words.

use std::fmt;

use cofferdam_provider::__abi::Status;

/// What a provider answered instead of OK, or a script instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which way it failed.
    pub status: Status,
    /// The words in the sink.
    pub words: String,
}

impl Refused {
    /// A status and its words.
    pub fn new(status: Status, words: impl Into<String>) -> Self {
        Self { status, words: words.into() }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.status {
            Status::OK => "ok",
            Status::FAILED => "failed",
            Status::PANICKED => "panicked",
            Status::DENIED => "denied",
            Status::LATE => "late",
            Status::UNAVAILABLE => "unavailable",
            Status::INVALID => "invalid",
            Status::INTERNAL => "internal",
            Status::CANCELLED => "cancelled",
            Status(other) => return write!(f, "unlisted status {other}: {}", self.words),
        };
        write!(f, "{name}: {}", self.words)
    }
}

impl std::error::Error for Refused {}
