//! The host, as a provider sees it.
#![allow(unsafe_code)]

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{FromRawFd, OwnedFd};
use std::time::Duration;

use cofferdam_abi as abi;
use nix::time::{ClockId, clock_gettime};

pub use abi::{Access, Level};

use crate::{CallError, Completions, raw};

/// All that a provider has of the world. Cheap to copy, usable from every thread.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    raw: &'static abi::HostV1,
}

/// A call to an actor.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The public key of an actor that is linked to this provider.
    pub actor: &'a str,
    /// The operation, such as `HandleRequest`.
    pub operation: &'a str,
    /// The argument, MessagePack by convention.
    pub payload: &'a [u8],
    /// When to stop waiting, on `CLOCK_MONOTONIC`, in ns: [`monotonic_deadline`], or that of the call being served.
    pub deadline_ns: u64,
}

// SAFETY: the ABI says that every function of the host may be called from any thread.
unsafe impl Send for Host {}
// SAFETY: as above.
unsafe impl Sync for Host {}

impl Host {
    /// # Safety
    /// `raw` must be the shim's, which outlives the library.
    pub(crate) unsafe fn new(raw: &'static abi::HostV1) -> Self {
        Self { raw }
    }

    pub(crate) fn raw(self) -> &'static abi::HostV1 {
        self.raw
    }

    /// The longest argument or answer that the host takes, in bytes.
    pub fn payload_bytes_max(self) -> u64 {
        self.raw.payload_bytes_max
    }

    /// Calls a linked actor and blocks until its answer or the deadline.
    pub fn call(self, request: &Request<'_>) -> Result<Vec<u8>, CallError> {
        let request = request.raw();
        // SAFETY: the request borrows what lives until the call returns, the sink is `collect`'s own.
        self.ask(|sink| unsafe { (self.raw.call)(self.raw.context, &raw const request, sink) })
    }

    /// Makes a queue for calls that don't block. One per event loop.
    pub fn completions(self) -> Result<Completions, CallError> {
        Completions::new(self)
    }

    /// A listening socket on `address` (`"127.0.0.1:8080"`), if the operator granted it. Non-blocking.
    pub fn listen(self, address: &str) -> Result<TcpListener, CallError> {
        self.descriptor(|host, fd, why| {
            // SAFETY: the slice, `fd` and the sink live until the call returns.
            unsafe { (host.listen)(host.context, raw::slice_of(address.as_bytes()), fd, why) }
        })
        .map(TcpListener::from)
    }

    /// A connection to `address` (`"redis.example:6379"`), if the operator granted it. The host resolves the name.
    pub fn connect(self, address: &str, deadline_ns: u64) -> Result<TcpStream, CallError> {
        self.descriptor(|host, fd, why| {
            // SAFETY: the slice, `fd` and the sink live until the call returns.
            unsafe { (host.connect)(host.context, raw::slice_of(address.as_bytes()), deadline_ns, fd, why) }
        })
        .map(TcpStream::from)
    }

    /// A directory that was granted under `name`; `"state"` is the provider's own. Open what is below it by `openat`.
    pub fn open_dir(self, name: &str, access: Access) -> Result<OwnedFd, CallError> {
        self.descriptor(|host, fd, why| {
            // SAFETY: the slice, `fd` and the sink live until the call returns.
            unsafe { (host.open_dir)(host.context, raw::slice_of(name.as_bytes()), access, fd, why) }
        })
    }

    /// A file that was granted under `name`.
    pub fn open_file(self, name: &str, access: Access) -> Result<File, CallError> {
        self.descriptor(|host, fd, why| {
            // SAFETY: the slice, `fd` and the sink live until the call returns.
            unsafe { (host.open_file)(host.context, raw::slice_of(name.as_bytes()), access, fd, why) }
        })
        .map(File::from)
    }

    /// Writes one line to the host's log. Never blocks; lines that come too fast are dropped and counted.
    pub fn log(self, level: Level, line: &str) {
        // SAFETY: the slice lives until the call returns.
        unsafe { (self.raw.log)(self.raw.context, level, raw::slice_of(line.as_bytes())) }
    }

    fn descriptor(
        self,
        ask: impl FnOnce(&abi::HostV1, *mut i32, *mut abi::Sink) -> abi::Status,
    ) -> Result<OwnedFd, CallError> {
        let mut fd = -1;
        self.ask(|why| ask(self.raw, &raw mut fd, why))?;
        if fd < 0 {
            return Err(CallError::Internal("the host answered OK without a descriptor".into()));
        }
        // SAFETY: on OK the descriptor is open and belongs to the provider, to nobody else.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    fn ask(self, ask: impl FnOnce(*mut abi::Sink) -> abi::Status) -> Result<Vec<u8>, CallError> {
        match raw::collect(ask) {
            (abi::Status::OK, answer) => Ok(answer),
            (status, words) => Err(CallError::from_status(status, words)),
        }
    }
}

impl Request<'_> {
    pub(crate) fn raw(&self) -> abi::Request {
        abi::Request {
            actor: raw::slice_of(self.actor.as_bytes()),
            operation: raw::slice_of(self.operation.as_bytes()),
            payload: raw::slice_of(self.payload),
            deadline_ns: self.deadline_ns,
        }
    }
}

pub(crate) fn monotonic_now_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("CLOCK_MONOTONIC exists on every Linux");
    now.tv_sec().unsigned_abs() * 1_000_000_000 + now.tv_nsec().unsigned_abs()
}

/// The deadline that lies `timeout` from now, as [`Request`] takes it.
pub fn monotonic_deadline(timeout: Duration) -> u64 {
    monotonic_now_ns().saturating_add(u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX))
}
