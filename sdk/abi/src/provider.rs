//! What a provider gives to the shim.

use core::ffi::c_void;
use core::sync::atomic::AtomicU32;

use crate::{HostV1, Sink, Slice, Status};

/// The library's face, exported as the data symbol [`crate::ENTRY_SYMBOL`]. Immutable.
#[repr(C)]
#[derive(Debug)]
pub struct ProviderV1 {
    /// [`crate::ABI_VERSION`].
    pub abi_version: u32,
    /// `sizeof(cofferdam_provider_descriptor_v1)` as the library was compiled.
    pub size: u32,
    /// The provider's name and version, for people: `"keyvalue 0.1.0"`. Static.
    pub name: Slice,
    /// How many `handle` may run at once, at least 1. The host never sends more.
    pub concurrency: u32,
    /// Zero.
    pub reserved: u32,
    /// Makes the provider; called once, before anything else, on a thread that lives until `destroy`. Stores what the
    /// other functions get as their `context`. `host` lives until `destroy` returns. On failure the sink holds why,
    /// and nothing else is called.
    pub create: unsafe extern "C" fn(host: *const HostV1, context: *mut *mut c_void, why: *mut Sink) -> Status,
    /// An actor was linked: [`Status::OK`] accepts, [`Status::FAILED`] rejects with the reason in the sink. The same
    /// link may be bound again, with the same values or others, and that is the same bind. `handle` may be called
    /// for the actor as soon as this has returned.
    pub bind: unsafe extern "C" fn(context: *mut c_void, link: *const Link, why: *mut Sink) -> Status,
    /// The link is gone; an unknown one is no error. Calls of that actor in flight may still end.
    pub unbind: unsafe extern "C" fn(context: *mut c_void, link: *const Link) -> Status,
    /// Answers one call, on a thread that it may block until the call's deadline.
    pub handle: unsafe extern "C" fn(context: *mut c_void, call: *const Call, reply: *mut Sink) -> Status,
    /// [`Status::OK`] when healthy, [`Status::FAILED`] with the reason when not. Must answer within a second.
    pub health: unsafe extern "C" fn(context: *mut c_void, why: *mut Sink) -> Status,
    /// No new calls will come: take none from the world either, end what is in flight by the deadline
    /// (`CLOCK_MONOTONIC`, in ns), return when there is nothing left to wait for.
    pub shutdown: unsafe extern "C" fn(context: *mut c_void, deadline_ns: u64) -> Status,
    /// Frees the provider. No other function runs or will be called.
    pub destroy: unsafe extern "C" fn(context: *mut c_void),
}

/// A [`ProviderV1`] as a static: what [`crate::ENTRY_SYMBOL`] names, with the same layout.
#[repr(transparent)]
#[derive(Debug)]
pub struct Exported(pub ProviderV1);

// SAFETY: it is immutable, and its one pointer is to static text.
#[allow(unsafe_code)]
unsafe impl Sync for Exported {}

/// One setting of a link.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Value {
    /// Its name, such as `PORT`. Names that begin with `__wasmcloud_` are the host's own.
    pub name: Slice,
    /// Its value. May be a secret: never log it.
    pub value: Slice,
}

/// A link between an actor and this provider.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// The actor's public key.
    pub actor: Slice,
    /// The settings. Null on unbind.
    pub values: *const Value,
    /// How many.
    pub value_count: usize,
}

/// One call to the provider. Everything in it lives until `handle` returns.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// `sizeof(cofferdam_call)` as the shim was compiled: fields beyond it are absent.
    pub size: u32,
    /// Zero.
    pub reserved: u32,
    /// Names the call in logs. Unique within this process.
    pub id: u64,
    /// The calling actor's public key, vouched for by the host.
    pub actor: Slice,
    /// The operation, such as `Get`.
    pub operation: Slice,
    /// The argument.
    pub payload: Slice,
    /// When the caller stops waiting: `CLOCK_MONOTONIC`, in ns.
    pub deadline_ns: u64,
    /// Turns from 0 to 1 when the caller has gone: whatever is answered then is dropped.
    pub cancelled: *const AtomicU32,
}
