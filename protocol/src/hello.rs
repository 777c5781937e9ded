//! What each side says second: limits from the host, facts from the shim. Fixed bytes; reserved ones are zero when
//! written and ignored when read, so that a later version can use them.

use crate::error::Broken;
use crate::limits::{CALLS_MAX, PAYLOAD_BYTES_MAX};
use crate::preface::array;
use crate::{Confinement, DecodeError};

/// How many bytes each hello has.
pub const HELLO_BYTES: usize = 64;

/// The rules of this generation, from the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostHello {
    /// Argument or answer, at most [`PAYLOAD_BYTES_MAX`].
    pub payload_bytes_max: u32,
    /// Calls to the provider at once; it may declare less.
    pub calls_max: u32,
    /// Calls of the provider to actors at once.
    pub actor_calls_max: u32,
}

/// Facts of the shim, by its own word: good for `ps`, never for a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShimHello {
    /// Its process id as it sees it.
    pub pid: u32,
    /// What confines it.
    pub confinement: Confinement,
}

impl HostHello {
    /// payload_bytes_max 4 | calls_max 4 | actor_calls_max 4 | zero 52.
    pub fn to_bytes(&self) -> [u8; HELLO_BYTES] {
        let mut bytes = [0; HELLO_BYTES];
        bytes[0..4].copy_from_slice(&self.payload_bytes_max.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.calls_max.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.actor_calls_max.to_le_bytes());
        bytes
    }

    /// Reads and checks it.
    pub fn from_bytes(bytes: &[u8; HELLO_BYTES]) -> Result<Self, DecodeError> {
        let hello = Self {
            payload_bytes_max: u32::from_le_bytes(array(bytes, 0)),
            calls_max: u32::from_le_bytes(array(bytes, 4)),
            actor_calls_max: u32::from_le_bytes(array(bytes, 8)),
        };
        within("payload_bytes_max", hello.payload_bytes_max, PAYLOAD_BYTES_MAX)?;
        within("calls_max", hello.calls_max, CALLS_MAX)?;
        within("actor_calls_max", hello.actor_calls_max, CALLS_MAX)?;
        Ok(hello)
    }
}

impl ShimHello {
    /// pid 4 | zero 4 | confinement 8 | zero 48.
    pub fn to_bytes(&self) -> [u8; HELLO_BYTES] {
        let mut bytes = [0; HELLO_BYTES];
        bytes[0..4].copy_from_slice(&self.pid.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.confinement.bits().to_le_bytes());
        bytes
    }

    /// Reads it; every value is allowed.
    pub fn from_bytes(bytes: &[u8; HELLO_BYTES]) -> Self {
        let confinement = Confinement::from_bits(u64::from_le_bytes(array(bytes, 8)));
        Self { pid: u32::from_le_bytes(array(bytes, 0)), confinement }
    }
}

fn within(what: &'static str, value: u32, max: u32) -> Result<(), DecodeError> {
    Ok(Broken::unless(what, value.into(), 1, max.into())?)
}
