//! What the host gives to a provider: calls to actors, and authority it asks for.

use core::ffi::c_void;

use crate::{Sink, Slice, Status};

/// A queue of calls to actors whose ends are told by a descriptor.
#[repr(C)]
#[derive(Debug)]
pub struct Completions {
    _opaque: [u8; 0],
}

/// A call to an actor. Borrowed until the function it is passed to returns, which has copied it by then.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The actor's public key. It must be linked to this provider.
    pub actor: Slice,
    /// The operation, such as `HandleRequest`.
    pub operation: Slice,
    /// The argument.
    pub payload: Slice,
    /// When to stop waiting: `CLOCK_MONOTONIC`, in ns. The host may have a stricter limit.
    pub deadline_ns: u64,
}

/// What a provider wants to do with a directory or a file.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access(pub u32);

impl Access {
    /// Look only.
    pub const READ: Self = Self(0);
    /// Look, create, change and remove.
    pub const WRITE: Self = Self(1);
}

/// How much a line of log matters.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(pub u32);

impl Level {
    /// Something failed.
    pub const ERROR: Self = Self(0);
    /// Something is odd.
    pub const WARN: Self = Self(1);
    /// Something happened.
    pub const INFO: Self = Self(2);
    /// For whoever looks for a fault.
    pub const DEBUG: Self = Self(3);
}

/// The host's functions. Each may be called from any thread until `destroy` returns. In each, `context` is this
/// struct's own, and a sink holds the answer on [`Status::OK`] and the reason, for people, on every other status.
#[repr(C)]
#[derive(Debug)]
pub struct HostV1 {
    /// [`crate::ABI_VERSION`].
    pub abi_version: u32,
    /// `sizeof(cofferdam_host_v1)` as the shim was compiled: functions beyond it are absent.
    pub size: u32,
    /// Handed back to every function.
    pub context: *mut c_void,
    /// Answers and arguments longer than this, in bytes, are refused.
    pub payload_bytes_max: u64,

    /// Calls an actor and blocks until its answer, or the deadline.
    pub call: unsafe extern "C" fn(context: *mut c_void, request: *const Request, reply: *mut Sink) -> Status,

    /// Makes a queue for calls that don't block. One per event loop; null when there can't be another:
    /// no descriptor is left, or the process has 16, which is the most. The host's log says which.
    pub completions_create: unsafe extern "C" fn(context: *mut c_void) -> *mut Completions,
    /// The queue's descriptor: readable while a completion waits. It belongs to the queue; poll it, don't read it. A
    /// completion that comes into an empty queue makes a new edge: whoever polls for edges (`EPOLLET`) calls
    /// `completions_next` until it returns 0.
    pub completions_fd: unsafe extern "C" fn(queue: *const Completions) -> i32,
    /// Begins a call and returns without waiting. On [`Status::OK`] exactly one completion with `token` will come, by
    /// the deadline; on any other status none will, and the sink holds why.
    pub call_start:
        unsafe extern "C" fn(queue: *mut Completions, token: u64, request: *const Request, why: *mut Sink) -> Status,
    /// Gives the call up: its completion comes at once, as [`Status::CANCELLED`] if it had not ended. An unknown token
    /// is no error.
    pub call_cancel: unsafe extern "C" fn(queue: *mut Completions, token: u64),
    /// Takes the oldest completion: 1 when there was one, 0 when the queue is empty.
    pub completions_next:
        unsafe extern "C" fn(queue: *mut Completions, token: *mut u64, status: *mut Status, reply: *mut Sink) -> u32,
    /// Frees the queue. Its calls are given up; no other function may be using it.
    pub completions_destroy: unsafe extern "C" fn(queue: *mut Completions),

    /// Asks for a listening TCP socket on `address` (`127.0.0.1:8080`, `[::]:80`); port 0 is any free one. On
    /// [`Status::OK`] `fd` is a non-blocking, close-on-exec socket that now belongs to the provider.
    pub listen: unsafe extern "C" fn(context: *mut c_void, address: Slice, fd: *mut i32, why: *mut Sink) -> Status,
    /// Asks for a connected TCP socket to `address` ("redis.example:6379"); the host resolves the name.
    pub connect: unsafe extern "C" fn(
        context: *mut c_void,
        address: Slice,
        deadline_ns: u64,
        fd: *mut i32,
        why: *mut Sink,
    ) -> Status,
    /// Asks for a directory that was granted under `name`. Every provider has one of its own, named `"state"`, that
    /// survives its restarts. Paths below it are opened with `openat`.
    pub open_dir:
        unsafe extern "C" fn(context: *mut c_void, name: Slice, access: Access, fd: *mut i32, why: *mut Sink) -> Status,
    /// Asks for a file that was granted under `name`.
    pub open_file:
        unsafe extern "C" fn(context: *mut c_void, name: Slice, access: Access, fd: *mut i32, why: *mut Sink) -> Status,
    /// Writes one line to the host's log, under the provider's identity. Lines are bounded, and dropped and counted when
    /// they come faster than the host takes them. Never blocks.
    pub log: unsafe extern "C" fn(context: *mut c_void, level: Level, line: Slice),
}
