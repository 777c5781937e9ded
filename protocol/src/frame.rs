//! How long the next frame is: a `u32`, little-endian, that counts what follows it.

use crate::DecodeError;

/// How many bytes the length of a frame has.
pub const LENGTH_BYTES: usize = 4;

/// The length that the peer announced, checked before any memory is taken.
pub fn body_bytes(length: [u8; LENGTH_BYTES], limit: u32) -> Result<usize, DecodeError> {
    match u32::from_le_bytes(length) {
        0 => Err(DecodeError::EmptyFrame),
        bytes if bytes > limit => Err(DecodeError::FrameTooLong { bytes: bytes.into(), limit: limit.into() }),
        bytes => Ok(bytes as usize),
    }
}

/// The length of our own frame, for the same limit: what we send, the peer must be able to take.
pub fn length(body_bytes: usize, limit: u32) -> Result<[u8; LENGTH_BYTES], DecodeError> {
    match u32::try_from(body_bytes) {
        Ok(bytes) if (1..=limit).contains(&bytes) => Ok(bytes.to_le_bytes()),
        _ => {
            let why = format!("its body has {body_bytes} bytes, allowed is 1 to {limit}");
            Err(DecodeError::Unsendable { what: "frame", why })
        }
    }
}
