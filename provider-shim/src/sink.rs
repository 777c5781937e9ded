//! Sinks for foreign code to write into, and slices to read from it.
#![allow(unsafe_code)]

use std::ffi::c_void;

use cofferdam_abi::{Sink, Slice, Status};
use cofferdam_channel::Answer;
use cofferdam_channel::protocol::limits::clip;

/// What a sink's context points to.
struct Target<'a, 'b> {
    answer: &'a mut Answer<'b>,
    bytes_max: usize,
    /// How long the last that was refused for its length would have been.
    refused: Option<usize>,
}

/// Runs `with` on a sink that writes to `answer`, at most `bytes_max` bytes. Returns, too, how many it would have been,
/// if some were refused for that.
pub(crate) fn write_into<R>(
    answer: &mut Answer<'_>,
    bytes_max: usize,
    with: impl FnOnce(*mut Sink) -> R,
) -> (R, Option<usize>) {
    let mut target = Target { answer, bytes_max, refused: None };
    let mut sink = Sink { context: (&raw mut target).cast(), reserve, clear };
    let result = with(&raw mut sink);
    (result, target.refused)
}

/// Runs `with` on a sink of its own and returns what was written.
pub(crate) fn collect<R>(bytes_max: usize, with: impl FnOnce(*mut Sink) -> R) -> (R, Vec<u8>) {
    let mut bytes = Vec::new();
    let (result, _) = write_into(&mut Answer::apart(&mut bytes), bytes_max, with);
    (result, bytes)
}

unsafe extern "C" fn reserve(context: *mut c_void, bytes: usize) -> *mut u8 {
    // SAFETY: `write_into` put its own target there, which outlives the sink, and one thread uses it at a time.
    let target = unsafe { &mut *context.cast::<Target<'_, '_>>() };
    let end = target.answer.len().saturating_add(bytes);
    if end > target.bytes_max {
        target.refused = Some(end);
        return std::ptr::null_mut();
    }
    target.answer.grow(bytes).map_or(std::ptr::null_mut(), <[u8]>::as_mut_ptr)
}

unsafe extern "C" fn clear(context: *mut c_void) {
    // SAFETY: as for `reserve`.
    unsafe { (*context.cast::<Target<'_, '_>>()).answer.clear() };
}

/// Borrows bytes for foreign code.
pub(crate) fn slice(bytes: &[u8]) -> Slice {
    Slice { ptr: bytes.as_ptr(), len: bytes.len() }
}

/// The bytes that foreign code handed over.
///
/// # Safety
/// The slice must be valid for `'a`, as the ABI promises for the time of a call.
pub(crate) unsafe fn bytes<'a>(slice: Slice) -> &'a [u8] {
    if slice.len == 0 || slice.ptr.is_null() {
        return &[];
    }
    // SAFETY: by the promise above.
    unsafe { std::slice::from_raw_parts(slice.ptr, slice.len) }
}

/// The text that foreign code handed over, or none when it is not UTF-8.
///
/// # Safety
/// As for [`bytes`].
pub(crate) unsafe fn text<'a>(slice: Slice) -> Option<&'a str> {
    // SAFETY: by the promise above.
    std::str::from_utf8(unsafe { bytes(slice) }).ok()
}

/// Writes to a sink of foreign code. False when it refuses.
///
/// # Safety
/// `sink` must be a live sink of the provider, or null.
pub(crate) unsafe fn write(sink: *mut Sink, bytes: &[u8]) -> bool {
    if sink.is_null() || bytes.is_empty() {
        return true;
    }
    // SAFETY: the sink is live, so function and context belong together.
    let place = unsafe { ((*sink).reserve)((*sink).context, bytes.len()) };
    if place.is_null() {
        return false;
    }
    // SAFETY: the provider promised room for exactly these bytes.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len()) };
    true
}

/// What foreign code wrote, as words for people: never longer than they may be.
pub(crate) fn words(bytes: &[u8]) -> String {
    clip(&String::from_utf8_lossy(bytes)).to_owned()
}

/// The words of a status for which foreign code wrote none.
pub(crate) fn words_or_status(status: Status, bytes: &[u8]) -> String {
    match status {
        _ if !bytes.is_empty() => words(bytes),
        Status::PANICKED => "it panicked".to_owned(),
        Status(number) => format!("it answered with status {number} and no words"),
    }
}
