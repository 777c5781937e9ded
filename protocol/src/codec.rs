//! The only file that names bincode: fixed-width little-endian integers, so that golden bytes can be read by eye, and a
//! limit on what a decode may allocate.

use bincode::config::{Configuration, Fixint, Limit, LittleEndian};
pub(crate) use bincode::{BorrowDecode, Decode, Encode};

use crate::DecodeError;
use crate::limits::{CALL_HEADER_BYTES_MAX, CONTROL_FRAME_BYTES_MAX};

const fn config<const BYTES_MAX: usize>() -> Configuration<LittleEndian, Fixint, Limit<BYTES_MAX>> {
    bincode::config::standard().with_fixed_int_encoding().with_little_endian().with_limit::<BYTES_MAX>()
}

/// What a decode of a control message may claim. Beyond the bytes of the frame the decoder counts the elements of one
/// vector at their size in memory, for which there is room here for as many as the limits allow.
const CONTROL_CLAIM_BYTES_MAX: usize = CONTROL_FRAME_BYTES_MAX as usize + (64 << 10);

/// Writes the header of a call frame into `buffer` and returns its length.
pub(crate) fn write_header<T: Encode>(header: &T, buffer: &mut [u8]) -> Result<usize, DecodeError> {
    bincode::encode_into_slice(header, buffer, config::<CALL_HEADER_BYTES_MAX>())
        .map_err(|error| unsendable("call header", &error))
}

/// Reads the header at the front of `bytes` and returns it with its length.
pub(crate) fn read_header<'a, T: BorrowDecode<'a, ()>>(bytes: &'a [u8]) -> Result<(T, usize), DecodeError> {
    bincode::borrow_decode_from_slice(bytes, config::<CALL_HEADER_BYTES_MAX>())
        .map_err(|error| malformed("call header", CALL_HEADER_BYTES_MAX, &error))
}

/// A control message as bytes.
pub(crate) fn write_message<T: Encode>(message: &T) -> Result<Vec<u8>, DecodeError> {
    bincode::encode_to_vec(message, config::<CONTROL_CLAIM_BYTES_MAX>())
        .map_err(|error| unsendable("control message", &error))
}

/// Reads a control message that must fill `bytes`.
pub(crate) fn read_message<T: Decode<()>>(bytes: &[u8]) -> Result<T, DecodeError> {
    let (message, used) = bincode::decode_from_slice(bytes, config::<CONTROL_CLAIM_BYTES_MAX>())
        .map_err(|error| malformed("control message", CONTROL_CLAIM_BYTES_MAX, &error))?;
    if used != bytes.len() {
        let why = format!("{} bytes follow its end", bytes.len() - used);
        return Err(DecodeError::Malformed { what: "control message", why });
    }
    Ok(message)
}

fn malformed(what: &'static str, limit: usize, error: &bincode::error::DecodeError) -> DecodeError {
    match error {
        bincode::error::DecodeError::LimitExceeded => DecodeError::TooLong { what, limit: limit as u64 },
        error => DecodeError::Malformed { what, why: in_words(error) },
    }
}

/// What can be wrong with the bytes of our types, for people; the library's own words are those of a debugger.
fn in_words(error: &bincode::error::DecodeError) -> String {
    use bincode::error::DecodeError as Error;
    match error {
        Error::UnexpectedEnd { .. } => "it ends too soon".to_owned(),
        Error::UnexpectedVariant { type_name, found, .. } => format!("{found} is no tag of a {type_name}"),
        Error::Utf8 { inner } => format!("a text in it is not UTF-8: {inner}"),
        Error::InvalidBooleanValue(found) => format!("{found} is neither true nor false"),
        Error::OutsideUsizeRange(found) => format!("{found} is no length"),
        other => other.to_string(),
    }
}

fn unsendable(what: &'static str, error: &bincode::error::EncodeError) -> DecodeError {
    DecodeError::Unsendable { what, why: error.to_string() }
}
