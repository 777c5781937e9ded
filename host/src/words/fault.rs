//! Whose fault an error is, and what became of the call.

use serde::{Deserialize, Serialize};

/// Whose fault an error is: who has to change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Blame {
    /// The actor: its code, its claims, or what it asked for.
    Actor,
    /// The provider: its library or its process.
    Provider,
    /// Whoever configures and runs the host.
    Operator,
    /// Another host or program that talks to this one.
    Peer,
    /// The host itself: a bug of ours, or a limit of this machine.
    Host,
}

/// What became of a call that failed. Decides whether trying again can do it twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The callee never saw it.
    NotDelivered,
    /// The callee may have done it, in part or in whole.
    Unknown,
    /// The callee answered, with an error.
    Answered,
}

impl Blame {
    /// The word shown to people and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Actor => "actor",
            Self::Provider => "provider",
            Self::Operator => "operator",
            Self::Peer => "peer",
            Self::Host => "host",
        }
    }
}

impl Outcome {
    /// The word shown in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotDelivered => "not_delivered",
            Self::Unknown => "unknown",
            Self::Answered => "answered",
        }
    }
}
