//! Why bytes of a peer were not what the grammar says. Always the fault of the peer.

use thiserror::Error;

/// Why bytes of a peer were not what the grammar says.
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
    /// A value outside of its bounds.
    #[error("the peer stated {what} = {value}, allowed is {allowed}")]
    OutOfRange {
        /// Which value.
        what: &'static str,
        /// What it stated.
        value: u64,
        /// What is allowed.
        allowed: &'static str,
    },
}
