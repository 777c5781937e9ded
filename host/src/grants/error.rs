//! Why the needs of an archive, or the grants to it, can't be.

use thiserror::Error;

/// Why needs or grants can't be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AllowanceError {
    /// An address that is needed is none: the archive's fault.
    #[error("the need of {need:?} is wrong: {why}")]
    BadNeed {
        /// As it is written.
        need: String,
        /// What is wrong with it.
        why: String,
    },
    /// Too many of one kind.
    #[error("needs and grants have at most {max} entries of a kind")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// Nothing can listen on a name.
    #[error("{address:?} can't be listened on: give an IP address, or `*` for any")]
    ListensOnName {
        /// As it is written.
        address: String,
    },
    /// No name of a directory, file or secret.
    #[error("{name:?} is no name of a directory, file or secret: that is 1 to 64 letters, digits, `.`, `_` and `-`")]
    BadName {
        /// The name.
        name: String,
    },
    /// No name of a variable.
    #[error("{name:?} is no name of a variable: that is of letters, digits and `_`, and begins with no digit")]
    BadEnvName {
        /// The name.
        name: String,
    },
    /// The name of what every provider has.
    #[error("{name:?} is the provider's own directory, which needs no grant; give the granted one another name")]
    Reserved {
        /// The name.
        name: String,
    },
    /// One name, granted twice.
    #[error("{name:?} is granted twice, and each name opens one thing")]
    Twice {
        /// The name.
        name: String,
    },
    /// Granted by name, and the archive states no need of it.
    #[error("{kind} {name:?} is granted, and the signed archive states no need of it; it needs {}", list(.kind, .stated))]
    NotStated {
        /// The key of the manifest.
        kind: &'static str,
        /// The name.
        name: String,
        /// What it states of that kind.
        stated: Vec<String>,
    },
}

impl AllowanceError {
    pub(super) fn bad_need(need: &str, why: String) -> Self {
        Self::BadNeed { need: need.chars().take(64).collect(), why }
    }

    /// Whether whoever signed the archive has to mend it.
    pub const fn is_of_archive(&self) -> bool {
        matches!(self, Self::BadNeed { .. })
    }
}

fn list(kind: &str, stated: &[String]) -> String {
    if stated.is_empty() { format!("no {kind}") } else { stated.join(", ") }
}
