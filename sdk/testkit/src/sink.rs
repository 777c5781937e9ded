//! A sink of the ABI over a vector, with the payload limit of the rig.
#![allow(unsafe_code)]

use std::ffi::c_void;

use cofferdam_provider::__abi::{Sink, Slice, Status};

use crate::Refused;

struct Buffer {
    bytes: Vec<u8>,
    limit: usize,
}

/// Runs `with` on a fresh sink; what was written is the answer or the words.
pub(crate) fn collect(limit: usize, with: impl FnOnce(*mut Sink) -> Status) -> Result<Vec<u8>, Refused> {
    let mut buffer = Buffer { bytes: Vec::new(), limit };
    let mut sink = Sink { context: (&raw mut buffer).cast(), reserve, clear };
    match with(&raw mut sink) {
        Status::OK => Ok(buffer.bytes),
        status => Err(Refused::new(status, String::from_utf8_lossy(&buffer.bytes))),
    }
}

unsafe extern "C" fn reserve(context: *mut c_void, bytes: usize) -> *mut u8 {
    // SAFETY: `collect` put its buffer there, which outlives the sink; a sink is used by one thread at a time.
    let buffer = unsafe { &mut *context.cast::<Buffer>() };
    let start = buffer.bytes.len();
    match start.checked_add(bytes) {
        Some(end) if end <= buffer.limit => {
            buffer.bytes.resize(end, 0xAA);
            buffer.bytes[start..].as_mut_ptr()
        }
        _ => std::ptr::null_mut(),
    }
}

unsafe extern "C" fn clear(context: *mut c_void) {
    // SAFETY: as for `reserve`.
    unsafe { (*context.cast::<Buffer>()).bytes.clear() };
}

/// Fills a sink that the provider passed.
///
/// # Safety
/// `sink` must be live, and used by this thread only.
pub(crate) unsafe fn fill(sink: *mut Sink, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    // SAFETY: the sink is live, so its function and context belong together.
    let place = unsafe { ((*sink).reserve)((*sink).context, bytes.len()) };
    assert!(!place.is_null(), "the provider's sink refused {} bytes", bytes.len());
    // SAFETY: `reserve` returned fresh room for exactly these.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len()) };
}

pub(crate) fn slice_of(bytes: &[u8]) -> Slice {
    Slice { ptr: bytes.as_ptr(), len: bytes.len() }
}

/// The bytes of a slice that the provider passed.
///
/// # Safety
/// It must be readable until `'a` ends.
pub(crate) unsafe fn bytes<'a>(slice: Slice) -> &'a [u8] {
    if slice.len == 0 {
        return &[];
    }
    // SAFETY: by the promise above.
    unsafe { std::slice::from_raw_parts(slice.ptr, slice.len) }
}

/// The text of a slice, which the ABI says is UTF-8.
///
/// # Safety
/// As for [`bytes`].
pub(crate) unsafe fn text<'a>(slice: Slice) -> Result<&'a str, Refused> {
    // SAFETY: passed on.
    let bytes = unsafe { bytes(slice) };
    str::from_utf8(bytes).map_err(|error| Refused::new(Status::INVALID, format!("a text is not UTF-8: {error}")))
}
