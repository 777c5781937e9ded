//! Calls to actors that don't block: their ends are told by a descriptor that an event loop waits for.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr::NonNull;

use cofferdam_abi as abi;

use crate::{CallError, Host, Request, raw};

/// A queue of calls in flight. Dropping it gives them up.
#[derive(Debug)]
pub struct Completions {
    host: Host,
    queue: NonNull<abi::Completions>,
}

// SAFETY: the ABI says that every function of the host may be called from any thread, those of a queue among them.
unsafe impl Send for Completions {}
// SAFETY: as above; only `Drop` needs to be alone, and it is.
unsafe impl Sync for Completions {}

/// The end of one call.
#[derive(Debug)]
pub struct Completion {
    /// What the call was begun with.
    pub token: u64,
    /// The actor's answer.
    pub answer: Result<Vec<u8>, CallError>,
}

impl Completions {
    pub(crate) fn new(host: Host) -> Result<Self, CallError> {
        // SAFETY: the host's function with the host's context.
        let queue = unsafe { (host.raw().completions_create)(host.raw().context) };
        let queue = NonNull::new(queue)
            .ok_or_else(|| CallError::Unavailable("the host has no further queue of calls; its log says why".into()))?;
        Ok(Self { host, queue })
    }

    /// Begins a call and returns at once. Unless it fails here, exactly one [`Completion`] with `token` comes, by the
    /// deadline.
    pub fn start(&self, token: u64, request: &Request<'_>) -> Result<(), CallError> {
        let request = request.raw();
        let start = |why| {
            // SAFETY: the queue is live, the request borrows what lives until the call returns.
            unsafe { (self.host.raw().call_start)(self.queue.as_ptr(), token, &raw const request, why) }
        };
        match raw::collect(start) {
            (abi::Status::OK, _) => Ok(()),
            (status, words) => Err(CallError::from_status(status, words)),
        }
    }

    /// Gives a call up; its completion still comes.
    pub fn cancel(&self, token: u64) {
        // SAFETY: the queue is live.
        unsafe { (self.host.raw().call_cancel)(self.queue.as_ptr(), token) }
    }

    /// Takes the oldest completion, if there is one. Call it until it answers `None` whenever the descriptor is readable.
    pub fn take_next(&self) -> Option<Completion> {
        let (mut token, mut status) = (0, abi::Status::INTERNAL);
        let take = |reply| {
            // SAFETY: the queue is live, the places live until the call returns.
            unsafe { (self.host.raw().completions_next)(self.queue.as_ptr(), &raw mut token, &raw mut status, reply) }
        };
        match raw::collect(take) {
            (0, _) => None,
            (_, answer) if status == abi::Status::OK => Some(Completion { token, answer: Ok(answer) }),
            (_, words) => Some(Completion { token, answer: Err(CallError::from_status(status, words)) }),
        }
    }

    /// Readable while a completion waits. Poll it, don't read it.
    pub fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor belongs to the queue, which lives as long as the borrow.
        unsafe { BorrowedFd::borrow_raw(self.as_raw_fd()) }
    }
}

impl AsRawFd for Completions {
    fn as_raw_fd(&self) -> RawFd {
        // SAFETY: the queue is live.
        unsafe { (self.host.raw().completions_fd)(self.queue.as_ptr()) }
    }
}

impl Drop for Completions {
    fn drop(&mut self) {
        // SAFETY: `&mut self`, so no other function uses the queue, and nobody can again.
        unsafe { (self.host.raw().completions_destroy)(self.queue.as_ptr()) }
    }
}
