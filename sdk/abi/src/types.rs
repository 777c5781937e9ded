//! The plain values that cross the boundary.

use core::ffi::c_void;

/// Borrowed bytes. `ptr` may be null when `len` is 0. Text is UTF-8 without a terminating zero.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    /// The first byte.
    pub ptr: *const u8,
    /// How many bytes.
    pub len: usize,
}

/// Where a callee writes its answer, or its words when it fails. It belongs to the caller and lives until the function
/// it was passed to returns; it must be used by one thread at a time.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Sink {
    /// Handed back to `reserve`.
    pub context: *mut c_void,
    /// Appends `bytes` bytes to the answer and returns where to write them, or null when the answer would exceed the
    /// payload limit. The place is valid until the next call of `reserve`, or the return of the function that the
    /// sink was passed to. All of the bytes must be written.
    pub reserve: unsafe extern "C" fn(context: *mut c_void, bytes: usize) -> *mut u8,
    /// Forgets all that was written, so that words of a failure can take the place of half an answer.
    pub clear: unsafe extern "C" fn(context: *mut c_void),
}

/// What became of what was asked for. Numbers that are not listed here count as [`Status::INTERNAL`].
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub i32);

impl Status {
    /// Done; the sink holds the answer.
    pub const OK: Self = Self(0);
    /// The callee answered with an error; the sink holds its words.
    pub const FAILED: Self = Self(1);
    /// The callee's code panicked.
    pub const PANICKED: Self = Self(2);
    /// Not granted, not linked, not authorized. Asking again gives the same answer.
    pub const DENIED: Self = Self(3);
    /// The deadline passed; whether the callee did it is unknown.
    pub const LATE: Self = Self(4);
    /// Not delivered: the callee is not there, is draining, or serves its limit of calls. May be tried again.
    pub const UNAVAILABLE: Self = Self(5);
    /// An argument breaks the rules of this header, or a limit.
    pub const INVALID: Self = Self(6);
    /// The host or the shim is wrong.
    pub const INTERNAL: Self = Self(7);
    /// The caller gave the call up.
    pub const CANCELLED: Self = Self(8);
}
