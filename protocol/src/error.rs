//! Why bytes were not what the grammar says. Always the fault of the peer, but for [`DecodeError::Unsendable`].

use thiserror::Error;

/// Why bytes were not what the grammar says.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The first eight bytes are not ours.
    #[error("the peer does not speak cofferdam's protocol: it began with {found:02x?}")]
    Magic {
        /// What it began with.
        found: [u8; 8],
    },
    /// The peer claims to be on the wrong side.
    #[error("the peer claims to be side {found} of the channel, and must be {expected}")]
    Side {
        /// The side it claims.
        found: u8,
        /// The side it must be.
        expected: u8,
    },
    /// No version in common.
    #[error("the peer speaks versions {min} to {max} of the protocol, we speak {ours_min} to {ours_max}")]
    Version {
        /// Its lowest.
        min: u16,
        /// Its highest.
        max: u16,
        /// Our lowest.
        ours_min: u16,
        /// Our highest.
        ours_max: u16,
    },
    /// The peer belongs to another generation of the provider.
    #[error("the peer is of generation {found}, expected {expected}")]
    Generation {
        /// The one it states.
        found: u64,
        /// The one that was started.
        expected: u64,
    },
    /// A frame of no bytes.
    #[error("the peer sent an empty frame")]
    EmptyFrame,
    /// A frame longer than the limit.
    #[error("the peer announced a frame of {bytes} bytes, the limit is {limit}")]
    FrameTooLong {
        /// The length it announced.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A header that is not a message of this version.
    #[error("the peer sent a {what} that can't be decoded: {why}")]
    Malformed {
        /// Which message was expected.
        what: &'static str,
        /// The decoder's words.
        why: String,
    },
    /// A header that states lengths beyond what is decoded. Nothing was allocated for them.
    #[error("the peer sent a {what} that states more than {limit} bytes of content")]
    TooLong {
        /// Which message was expected.
        what: &'static str,
        /// What is decoded at most.
        limit: u64,
    },
    /// A value, or the length of one, outside of its bounds.
    #[error("the peer stated {what} = {value}, allowed is {min} to {max}")]
    OutOfRange {
        /// Which value.
        what: &'static str,
        /// What it stated.
        value: u64,
        /// The least that is allowed.
        min: u64,
        /// The most that is allowed.
        max: u64,
    },
    /// Our own message breaks the grammar, so that the peer would refuse it: the fault of whoever filled it in. Not a
    /// byte of it was sent.
    #[error("a {what} of ours was not sent, because the peer would refuse it: {why}")]
    Unsendable {
        /// Which message.
        what: &'static str,
        /// Which rule it breaks.
        why: String,
    },
}

/// A bound that a value breaks, before it is known whose value it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Broken {
    what: &'static str,
    value: u64,
    min: u64,
    max: u64,
}

impl Broken {
    /// Checks `value`, both ends included.
    pub(crate) fn unless(what: &'static str, value: u64, min: u64, max: u64) -> Result<(), Self> {
        if (min..=max).contains(&value) { Ok(()) } else { Err(Self { what, value, min, max }) }
    }

    /// Checks the length of something that may be empty.
    pub(crate) fn unless_length(what: &'static str, length: usize, max: usize) -> Result<(), Self> {
        Self::unless(what, length as u64, 0, max as u64)
    }

    /// The value was ours, in a message called `message`.
    pub(crate) fn ours(self, message: &'static str) -> DecodeError {
        let Self { what, value, min, max } = self;
        DecodeError::Unsendable { what: message, why: format!("{what} = {value}, allowed is {min} to {max}") }
    }
}

impl From<Broken> for DecodeError {
    /// The value was the peer's.
    fn from(Broken { what, value, min, max }: Broken) -> Self {
        Self::OutOfRange { what, value, min, max }
    }
}
