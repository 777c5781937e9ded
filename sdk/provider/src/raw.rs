//! Slices and sinks of the ABI as Rust values. The rest of the crate is safe by what is checked here.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cofferdam_abi::{Sink, Slice};

pub(crate) fn slice_of(bytes: &[u8]) -> Slice {
    Slice { ptr: bytes.as_ptr(), len: bytes.len() }
}

/// The bytes of a borrowed slice.
///
/// # Safety
/// `slice` must have come from the shim in a call that has not returned within `'a`.
pub(crate) unsafe fn bytes<'a>(slice: Slice) -> &'a [u8] {
    if slice.len == 0 {
        return &[];
    }
    // SAFETY: the ABI promises `len` readable bytes at `ptr` until the call returns, which outlives 'a.
    unsafe { std::slice::from_raw_parts(slice.ptr, slice.len) }
}

/// The text of a borrowed slice. The shim sends UTF-8 only; anything else reads as empty.
///
/// # Safety
/// As for [`bytes`].
pub(crate) unsafe fn text<'a>(slice: Slice) -> &'a str {
    // SAFETY: passed on to our caller.
    std::str::from_utf8(unsafe { bytes(slice) }).unwrap_or_default()
}

/// Appends to a sink. False when the host's limit refused it.
///
/// # Safety
/// `sink` must be a live sink of the shim, used by this thread only.
pub(crate) unsafe fn append(sink: *mut Sink, bytes: &[u8]) -> bool {
    if bytes.is_empty() {
        return true;
    }
    // SAFETY: the sink is live, so its function and context belong together.
    let place = unsafe { ((*sink).reserve)((*sink).context, bytes.len()) };
    if place.is_null() {
        return false;
    }
    // SAFETY: `reserve` returned room for exactly this many bytes, fresh, so nothing overlaps.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len()) };
    true
}

/// Writes words of a failure in place of whatever was written before. Words that don't fit are lost.
///
/// # Safety
/// As for [`append`].
pub(crate) unsafe fn replace(sink: *mut Sink, words: &[u8]) {
    // SAFETY: the sink is live, so its functions and context belong together.
    unsafe { ((*sink).clear)((*sink).context) };
    // SAFETY: passed on to our caller.
    let _ = unsafe { append(sink, words) };
}

/// Runs `with` on a sink that appends to a vector, and returns what was written.
pub(crate) fn collect<R>(with: impl FnOnce(*mut Sink) -> R) -> (R, Vec<u8>) {
    let mut buffer = Vec::new();
    let mut sink = Sink { context: (&raw mut buffer).cast(), reserve: reserve_in_vec, clear: clear_vec };
    let result = with(&raw mut sink);
    (result, buffer)
}

unsafe extern "C" fn clear_vec(context: *mut c_void) {
    // SAFETY: as for `reserve_in_vec`.
    unsafe { (*context.cast::<Vec<u8>>()).clear() };
}

unsafe extern "C" fn reserve_in_vec(context: *mut c_void, bytes: usize) -> *mut u8 {
    let reserve = AssertUnwindSafe(|| {
        // SAFETY: `collect` put its own vector there, which outlives the sink and is used by nobody else meanwhile.
        let buffer = unsafe { &mut *context.cast::<Vec<u8>>() };
        let start = buffer.len();
        buffer.resize(start + bytes, 0);
        &raw mut buffer[start..] as *mut u8
    });
    catch_unwind(reserve).unwrap_or(std::ptr::null_mut())
}
