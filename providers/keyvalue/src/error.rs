//! What goes wrong with an operation. Every text goes to the calling actor as it is.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::limits::{KEY_BYTES_MAX, KEYS_MAX, LIST_ITEMS_MAX};
use crate::store::Kind;

/// Why an operation was not done. Whose fault: the actor's, unless the variant says another.
#[derive(Clone, Debug, Error)]
pub(crate) enum OperationError {
    #[error("the argument of {operation} is not what the contract says: {why}")]
    Malformed { operation: &'static str, why: String },
    #[error("a key of {bytes} bytes is too long: keys have at most {KEY_BYTES_MAX}")]
    KeyTooLong { bytes: usize },
    #[error("{operation} needs 1 to {KEYS_MAX} keys, it was given {count}")]
    KeyCount { operation: &'static str, count: usize },
    #[error("a value can't expire {expires_s} seconds from now: give 0 for never, or more")]
    NegativeExpiry { expires_s: i32 },
    #[error("the key {key} holds {found}, this operation works on {needed}")]
    WrongKind { key: Shown, found: Kind, needed: Kind },
    #[error("the value of {key} is not an integer, so nothing can be added to it")]
    NotAnInteger { key: Shown },
    #[error("adding {value} to {key} would leave the range of 32-bit integers; it was not changed")]
    Overflow { key: Shown, value: i32 },
    #[error("the list {key} is full: it has {LIST_ITEMS_MAX} items")]
    ListFull { key: Shown },
    #[error("the answer would exceed {limit_bytes} bytes; ask for fewer items")]
    AnswerTooLong { limit_bytes: usize },
    /// The operator's or the caller's: more is asked than the disk takes.
    #[error("the store has too many writes waiting; nothing was written, try again")]
    Busy,
    #[error("the deadline passed before it was this write's turn; nothing was written")]
    Late,
    #[error("the deadline passed before everything was read; ask for fewer items")]
    ReadLate,
    #[error("the deadline passed while the store was writing; whether it was written is unknown")]
    LateUnknown,
    /// The disk's or ours.
    #[error("the store failed: {0}")]
    Storage(Arc<redb::Error>),
    /// Ours, or somebody changed the file.
    #[error("the store holds a record that can't be read: {0}")]
    Corrupt(&'static str),
    /// Ours.
    #[error("the store has stopped writing after a fault; whether this was written is unknown")]
    Stopped,
}

impl<E: Into<redb::Error>> From<E> for OperationError {
    fn from(error: E) -> Self {
        Self::Storage(Arc::new(error.into()))
    }
}

/// A key in a text for people: quoted, cut when long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown(String);

impl Shown {
    pub(crate) fn new(key: &str) -> Self {
        const SHOWN_CHARACTERS_MAX: usize = 80;
        let cut: String = key.chars().take(SHOWN_CHARACTERS_MAX).collect();
        let more = if cut.len() < key.len() { "…" } else { "" };
        Self(format!("{cut:?}{more}"))
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
