//! What the host functions of one instance work on: who the actor is, the call it serves, and its memory.
//!
//! Every pointer and length that a guest names goes through [`GuestMemory`], which checks it. Nothing else touches
//! guest memory.
#![allow(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use wasmer::{FunctionEnvMut, Memory, MemoryView, RuntimeError, StoreMut};

use super::clock::{CallClock, Over};
use super::log::{GuestLog, Lines};
use crate::words::{CallError, Deadline, Invocation, Outbound, WasmCloudEntity};

/// Buffers that grew beyond this are given back after the call.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// Why a host function ends the guest.
#[derive(Debug, Error)]
pub(super) enum Fault {
    #[error("{import}: {reason}")]
    Protocol { import: &'static str, reason: String },
    #[error("proc_exit({0})")]
    Exited(i32),
    #[error("its time was over in {0}")]
    Late(&'static str, Over),
    #[error("{import} panicked: {message}")]
    Panicked { import: &'static str, message: String },
}

/// The data of one instance, which wasmer hands to every host function.
pub(super) struct Guest {
    pub(super) entity: Arc<WasmCloudEntity>,
    pub(super) outbound: Arc<dyn Outbound>,
    pub(super) clock: Arc<CallClock>,
    pub(super) log: Arc<GuestLog>,
    pub(super) payload_bytes_max: u32,
    /// Set right after instantiation; a start function that calls the host before has no memory to point into.
    pub(super) memory: Option<Memory>,
    pub(super) serving: Serving,
    /// The answer to the guest's last `__host_call`.
    pub(super) host_reply: Vec<u8>,
    /// Why the guest's last `__host_call` failed, if it did.
    pub(super) host_error: Option<HostError>,
    /// Of the host calls that used up their time, the one that took the longest.
    pub(super) late_call: Option<LateCall>,
    /// Unfinished lines on file descriptors 1 and 2.
    pub(super) lines: Lines,
}

/// Why a `__host_call` failed.
pub(super) struct HostError {
    /// What the guest reads.
    pub(super) text: String,
    pub(super) error: CallError,
}

/// A host call that used up its time.
pub(super) struct LateCall {
    pub(super) waited: Duration,
    pub(super) error: CallError,
}

/// The call that an instance serves.
#[derive(Debug, Default)]
pub(super) struct Serving {
    /// Absent while the instance starts.
    pub(super) request: Option<Request>,
    pub(super) depth: u8,
    pub(super) response: Vec<u8>,
    /// The length of an answer that was too large to take.
    pub(super) response_over: Option<u64>,
    /// What the guest said by `__guest_error`.
    pub(super) error: Option<String>,
}

/// Operation and payload of the invocation being served, lent by the caller of [`Guest::lend`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    operation: NonNull<str>,
    payload: NonNull<[u8]>,
}

// SAFETY: the pointers are only followed between `Guest::lend` and `Guest::take_back`, during which the thread that
// lent them runs the guest; an instance moves to another thread only when no call is being served.
unsafe impl Send for Request {}

impl Request {
    pub(super) fn operation(&self) -> &[u8] {
        // SAFETY: whoever called `Guest::lend` keeps the invocation alive until `Guest::take_back`, see there.
        unsafe { self.operation.as_ref() }.as_bytes()
    }

    pub(super) fn payload(&self) -> &[u8] {
        // SAFETY: as in `operation`.
        unsafe { self.payload.as_ref() }
    }
}

impl Guest {
    /// Begins to serve an invocation.
    ///
    /// # Safety
    /// The invocation outlives the call of [`Guest::take_back`] that follows on every path, panics included.
    pub(super) unsafe fn lend(&mut self, invocation: &Invocation<'_>) {
        self.clock.start(invocation.deadline, invocation.cancelled);
        self.late_call = None;
        self.serving.response.clear();
        self.serving.response_over = None;
        self.serving.error = None;
        self.serving.depth = invocation.depth;
        self.serving.request = Some(Request {
            operation: NonNull::from(invocation.operation),
            payload: NonNull::from(invocation.payload),
        });
    }

    /// Ends it: nothing borrowed is left behind, and no buffer larger than usual.
    pub(super) fn take_back(&mut self) {
        self.serving.request = None;
        self.lines.flush(&self.log);
        for buffer in [&mut self.host_reply, &mut self.serving.response] {
            buffer.clear();
            buffer.shrink_to(KEPT_BYTES_MAX);
        }
        self.host_error = None;
        self.clock.end();
    }

    /// Notes that a host call failed, and who used up its time if that is why.
    pub(super) fn host_call_failed(&mut self, error: CallError, began: Deadline) {
        if let Some(late) = error.late() {
            let waited = Deadline::now().since(began);
            if self.late_call.as_ref().is_none_or(|other| other.waited < waited) {
                self.late_call = Some(LateCall { waited, error: late.clone() });
            }
        }
        self.host_error = Some(HostError { text: error.to_string(), error });
    }

    /// Ends the guest when its deadline has passed. For host functions that do more than a few nanoseconds of work,
    /// which the meter does not see.
    pub(super) fn check_deadline(&self, import: &'static str) -> Result<(), Fault> {
        self.clock.passed().map_or(Ok(()), |over| Err(Fault::Late(import, over)))
    }
}

/// Runs the body of a host function. A panic becomes an error that ends the guest: it never unwinds through its frames.
pub(super) fn host_function<R>(
    import: &'static str,
    mut env: FunctionEnvMut<'_, Guest>,
    body: impl FnOnce(&mut Guest, GuestMemory<'_>) -> Result<R, Fault>,
) -> Result<R, RuntimeError> {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let (guest, store) = env.data_and_store_mut();
        let Some(memory) = guest.memory.clone() else {
            return Err(Fault::Protocol { import, reason: "called before the module was instantiated".to_owned() });
        };
        let memory = GuestMemory::new(import, &memory, &store);
        body(guest, memory)
    }));
    let fault = match outcome {
        Ok(Ok(result)) => return Ok(result),
        Ok(Err(fault)) => fault,
        Err(panic) => Fault::Panicked { import, message: panic_text(panic.as_ref()) },
    };
    Err(RuntimeError::user(Box::new(fault)))
}

/// What a panic said.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

/// A guest's memory for the time of one host function. Out-of-bounds is an error that names the import.
pub(super) struct GuestMemory<'a> {
    import: &'static str,
    view: MemoryView<'a>,
}

impl<'a> GuestMemory<'a> {
    fn new(import: &'static str, memory: &Memory, store: &'a StoreMut<'a>) -> Self {
        Self { import, view: memory.view(store) }
    }

    /// A violation of the protocol by this import.
    pub(super) fn violation(&self, reason: String) -> Fault {
        Fault::Protocol { import: self.import, reason }
    }

    fn range(&self, ptr: i32, len: usize) -> Result<std::ops::Range<usize>, Fault> {
        let start = ptr.cast_unsigned() as usize;
        let size = self.view.data_size();
        match start.checked_add(len) {
            Some(end) if end as u64 <= size => Ok(start..end),
            _ => Err(self.violation(format!("{len} bytes at {start:#x} lie outside the memory of {size} bytes"))),
        }
    }

    /// Guest memory as the guest named it: both numbers are unsigned.
    pub(super) fn bytes(&self, ptr: i32, len: i32) -> Result<&[u8], Fault> {
        let range = self.range(ptr, len.cast_unsigned() as usize)?;
        // SAFETY: guest memory is not shared (the threads proposal is off), the only thread that runs this instance is
        // the current one, and it is in this host function: neither guest code nor a grow runs before the slice ends,
        // for both need the store that `self.view` borrows. Nested calls run in other stores.
        Ok(&unsafe { self.view.data_unchecked() }[range])
    }

    /// Guest memory to write to.
    pub(super) fn bytes_mut(&mut self, ptr: i32, len: usize) -> Result<&mut [u8], Fault> {
        let range = self.range(ptr, len)?;
        // SAFETY: as in `bytes`; `&mut self` excludes any other slice of this view, and there is one view at a time.
        Ok(&mut unsafe { self.view.data_unchecked_mut() }[range])
    }

    /// Copies out to the guest.
    pub(super) fn write(&mut self, ptr: i32, bytes: &[u8]) -> Result<(), Fault> {
        self.bytes_mut(ptr, bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    /// A string of at most `len_max` bytes.
    pub(super) fn text(&self, what: &str, ptr: i32, len: i32, len_max: usize) -> Result<&str, Fault> {
        if len.cast_unsigned() as usize > len_max {
            let len = len.cast_unsigned();
            return Err(self.violation(format!("a {what} of {len} bytes exceeds the limit of {len_max} bytes")));
        }
        let bytes = self.bytes(ptr, len)?;
        std::str::from_utf8(bytes).map_err(|_| self.violation(format!("the {what} is not UTF-8")))
    }
}
