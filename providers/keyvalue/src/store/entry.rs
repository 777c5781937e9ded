//! The record of one key: what kind of thing it holds, when it expires, and for lists and sets how many there are.
//!
//! As bytes: `kind u8 | expires_ms u64 LE (0: never) |` then for text its UTF-8, for a list `first i64 LE | len u64 LE`,
//! for a set `len u64 LE`. Items and members lie in tables of their own.

use std::fmt;

use crate::error::OperationError;

/// What a key can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    List,
    Set,
}

/// The record of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// Milliseconds since 1970; 0 is never.
    pub(crate) expires_ms: u64,
    pub(crate) body: Body<'a>,
}

/// What the key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body<'a> {
    Text(&'a str),
    /// `first` is the index of the leftmost item; there are gaps where items were removed.
    List {
        first: i64,
        len: u64,
    },
    Set {
        len: u64,
    },
}

impl<'a> Entry<'a> {
    pub(crate) fn lasting(body: Body<'a>) -> Self {
        Self { expires_ms: 0, body }
    }

    pub(crate) fn is_live(&self, now_ms: u64) -> bool {
        self.expires_ms == 0 || self.expires_ms > now_ms
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.body {
            Body::Text(_) => Kind::Text,
            Body::List { .. } => Kind::List,
            Body::Set { .. } => Kind::Set,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.kind() as u8];
        bytes.extend(self.expires_ms.to_le_bytes());
        match self.body {
            Body::Text(text) => bytes.extend(text.as_bytes()),
            Body::List { first, len } => {
                bytes.extend(first.to_le_bytes());
                bytes.extend(len.to_le_bytes());
            }
            Body::Set { len } => bytes.extend(len.to_le_bytes()),
        }
        bytes
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, OperationError> {
        let short = OperationError::Corrupt("an entry is cut short");
        let (kind, rest) = bytes.split_first().ok_or(short.clone())?;
        let (expires, rest) = rest.split_first_chunk().ok_or(short.clone())?;
        let body = match kind {
            0 => Body::Text(str::from_utf8(rest).map_err(|_| OperationError::Corrupt("a text is not UTF-8"))?),
            1 => {
                let (first, rest) = rest.split_first_chunk().ok_or(short.clone())?;
                let len = rest.try_into().map_err(|_| short)?;
                Body::List { first: i64::from_le_bytes(*first), len: u64::from_le_bytes(len) }
            }
            2 => Body::Set { len: u64::from_le_bytes(rest.try_into().map_err(|_| short)?) },
            _ => return Err(OperationError::Corrupt("an entry is of no known kind")),
        };
        Ok(Self { expires_ms: u64::from_le_bytes(*expires), body })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "a value",
            Self::List => "a list",
            Self::Set => "a set",
        })
    }
}
