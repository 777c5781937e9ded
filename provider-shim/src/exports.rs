//! The host's functions, as the provider calls them. Every pointer here comes from foreign code in this very process: a
//! wrong one crashes the process, which is what the process is for.
#![allow(unsafe_code)]

mod descriptors;

use std::ffi::c_void;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use cofferdam_abi::{self as abi, Status};
use cofferdam_channel::protocol::HostHello;
use cofferdam_channel::protocol::control::Dir;
use cofferdam_channel::{CallFailure, Cancelled, Completed, Completions, Deadline, LoopClient, Outgoing};

use crate::asks::Asks;
use crate::logging::Log;
use crate::sink;

/// What the functions need.
pub(crate) struct Parts {
    pub(crate) asks: Arc<Asks>,
    pub(crate) calls: Arc<dyn LoopClient>,
    pub(crate) dirs: Arc<[Dir]>,
    pub(crate) rules: HostHello,
    pub(crate) log: Arc<Log>,
}

/// The context of the functions, and their table.
pub(crate) struct Exports {
    calls: Arc<dyn LoopClient>,
    asks: Arc<Asks>,
    dirs: Arc<[Dir]>,
    log: Arc<Log>,
    face: abi::HostV1,
}

impl Exports {
    /// Makes the table. It lives as long as the process: threads of the provider may use it until the very end.
    pub(crate) fn leak(parts: Parts) -> &'static Self {
        let Parts { asks, calls, dirs, rules, log } = parts;
        let face = abi::HostV1 {
            abi_version: abi::ABI_VERSION,
            size: size_of::<abi::HostV1>() as u32,
            context: std::ptr::null_mut(),
            payload_bytes_max: rules.payload_bytes_max.into(),
            call,
            completions_create,
            completions_fd,
            call_start,
            call_cancel,
            completions_next,
            completions_destroy,
            listen: descriptors::listen,
            connect: descriptors::connect,
            open_dir: descriptors::open::<descriptors::Directory>,
            open_file: descriptors::open::<descriptors::File>,
            log: log_line,
        };
        let exports = Box::into_raw(Box::new(Self { calls, asks, dirs, log, face }));
        // SAFETY: the box is live and nobody else knows of it. The context is the pointer itself and no reference is
        // made before, so it stays good for the whole of the box.
        unsafe { (&raw mut (*exports).face.context).write(exports.cast()) };
        // SAFETY: the box is never freed, and from now on nobody writes to it.
        unsafe { &*exports }
    }

    pub(crate) fn face(&'static self) -> &'static abi::HostV1 {
        &self.face
    }
}

/// # Safety
/// `context` must be the one of the table, which is never freed.
unsafe fn exports(context: *mut c_void) -> &'static Exports {
    // SAFETY: by the promise above.
    unsafe { &*context.cast::<Exports>() }
}

/// # Safety
/// The request must be valid for `'a`, as the ABI promises for the time of a call.
unsafe fn outgoing<'a>(request: *const abi::Request) -> Option<Outgoing<'a>> {
    // SAFETY: by the promise above.
    let abi::Request { actor, operation, payload, deadline_ns } = unsafe { *request };
    // SAFETY: by the promise above.
    let (actor, operation, payload) = unsafe { (sink::text(actor)?, sink::text(operation)?, sink::bytes(payload)) };
    let deadline = Deadline::from_monotonic_ns(deadline_ns);
    Some(Outgoing { actor, operation, payload, deadline, cancelled: Cancelled::never() })
}

/// # Safety
/// As the ABI says of this function: pointers are null where it allows that, and otherwise live until it returns.
unsafe extern "C" fn call(context: *mut c_void, request: *const abi::Request, reply: *mut abi::Sink) -> Status {
    // SAFETY: the provider passes our context and a request that lives until we return.
    let (exports, request) = unsafe { (exports(context), outgoing(request)) };
    let Some(request) = request else {
        // SAFETY: the provider's sink lives until we return.
        return unsafe { refuse(reply, Status::INVALID, "actor and operation must be UTF-8") };
    };
    let mut answer = Vec::new();
    let result = exports.calls.blocking().call(&request, &mut answer);
    // SAFETY: as above.
    unsafe { finish(reply, result, &answer) }
}

/// # Safety
/// As the ABI says of this function: pointers are null where it allows that, and otherwise live until it returns.
unsafe extern "C" fn completions_create(context: *mut c_void) -> *mut abi::Completions {
    // SAFETY: the provider passes our context.
    let exports = unsafe { exports(context) };
    match exports.calls.completions() {
        Ok(completions) => Box::into_raw(Box::new(completions)).cast(),
        Err(error) => {
            // The ABI has no place for words here.
            exports.log.log(abi::Level::WARN.0, &format!("no further queue of completions: {error}"));
            std::ptr::null_mut()
        }
    }
}

/// # Safety
/// `queue` must have come from `completions_create` and not have been destroyed.
unsafe fn completions<'a>(queue: *const abi::Completions) -> &'a dyn Completions {
    // SAFETY: by the promise above.
    unsafe { &**queue.cast::<Box<dyn Completions>>() }
}

/// # Safety
/// As the ABI says of this function: pointers are null where it allows that, and otherwise live until it returns.
unsafe extern "C" fn completions_fd(queue: *const abi::Completions) -> i32 {
    // SAFETY: the provider passes a live queue.
    unsafe { completions(queue) }.fd().as_raw_fd()
}

/// # Safety
/// As the ABI says of this function: pointers are null where it allows that, and otherwise live until it returns.
unsafe extern "C" fn call_start(
    queue: *mut abi::Completions,
    token: u64,
    request: *const abi::Request,
    why: *mut abi::Sink,
) -> Status {
    // SAFETY: the provider passes a live queue and a request that lives until we return.
    let (queue, request) = unsafe { (completions(queue), outgoing(request)) };
    let Some(request) = request else {
        // SAFETY: the provider's sink lives until we return.
        return unsafe { refuse(why, Status::INVALID, "actor and operation must be UTF-8") };
    };
    let started = queue.start(token, &request);
    // SAFETY: as above.
    unsafe { finish(why, started, &[]) }
}

/// # Safety
/// As the ABI says of this function: pointers are null where it allows that, and otherwise live until it returns.
unsafe extern "C" fn call_cancel(queue: *mut abi::Completions, token: u64) {
    // SAFETY: the provider passes a live queue.
    unsafe { completions(queue) }.cancel(token);
}

/// # Safety
/// As the ABI says of this function: pointers are null where it allows that, and otherwise live until it returns.
unsafe extern "C" fn completions_next(
    queue: *mut abi::Completions,
    token: *mut u64,
    status: *mut Status,
    reply: *mut abi::Sink,
) -> u32 {
    // SAFETY: the provider passes a live queue.
    let Some(Completed { token: ended, result, bytes }) = unsafe { completions(queue) }.take_next() else { return 0 };
    // SAFETY: the places and the sink live until we return.
    unsafe {
        *token = ended;
        *status = finish(reply, result, &bytes);
    }
    1
}

/// # Safety
/// As the ABI says of this function: pointers are null where it allows that, and otherwise live until it returns.
unsafe extern "C" fn completions_destroy(queue: *mut abi::Completions) {
    // SAFETY: the queue came from `completions_create`, and the provider uses it no more.
    drop(unsafe { Box::from_raw(queue.cast::<Box<dyn Completions>>()) });
}

/// # Safety
/// As the ABI says of this function: pointers are null where it allows that, and otherwise live until it returns.
unsafe extern "C" fn log_line(context: *mut c_void, level: abi::Level, line: abi::Slice) {
    // SAFETY: context and slice are as the ABI says.
    let (exports, line) = unsafe { (exports(context), sink::bytes(line)) };
    exports.log.log(level.0, &String::from_utf8_lossy(line));
}

/// # Safety
/// `sink` must live until this returns.
unsafe fn refuse(sink: *mut abi::Sink, status: Status, words: &str) -> Status {
    // SAFETY: by the promise above. Words that the provider has no room for are lost; the status is not.
    let _ = unsafe { sink::write(sink, words.as_bytes()) };
    status
}

/// # Safety
/// `sink` must live until this returns.
unsafe fn finish(sink: *mut abi::Sink, result: Result<(), CallFailure>, bytes: &[u8]) -> Status {
    let status = match &result {
        Ok(()) => {
            // SAFETY: by the promise above.
            let written = unsafe { sink::write(sink, bytes) };
            return if written { Status::OK } else { Status::INVALID };
        }
        Err(CallFailure::Answered(fault)) => {
            // SAFETY: by the promise above.
            return unsafe { refuse(sink, Status(*fault as i32 + 1), &String::from_utf8_lossy(bytes)) };
        }
        Err(CallFailure::Late { .. }) => Status::LATE,
        Err(CallFailure::Overloaded { .. } | CallFailure::Closed { .. }) => Status::UNAVAILABLE,
        Err(CallFailure::TooLarge { .. } | CallFailure::Unsendable { .. }) => Status::INVALID,
        Err(CallFailure::Cancelled) => Status::CANCELLED,
    };
    let words = result.err().map(|failure| failure.to_string()).unwrap_or_default();
    // SAFETY: by the promise above.
    unsafe { refuse(sink, status, &words) }
}
