//! What a provider asks of the world: the host opens it, or this process what was put where it can see it. Nothing here
//! grants anything by itself.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::os::fd::IntoRawFd;
use std::time::Duration;

use cofferdam_abi::{self as abi, Status};
use cofferdam_channel::Deadline;
use cofferdam_channel::protocol::control::{Refusal, Want};
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::{Exports, exports, refuse};
use crate::asks::Granted;
use crate::sink;

/// How long the host may take over a request that states no deadline.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a function that grants a descriptor puts it, or why it doesn't.
type Places = (*mut i32, *mut abi::Sink);

/// What is opened by the name under which it was granted.
pub(super) trait Named {
    fn open(exports: &Exports, name: &str, writable: bool) -> Granted;
}

/// Directories were put where this process can see them before it was confined, so it opens them by itself.
pub(super) enum Directory {}

/// Files are opened by the host.
pub(super) enum File {}

impl Named for Directory {
    fn open(exports: &Exports, name: &str, writable: bool) -> Granted {
        let Some(dir) = exports.dirs.iter().find(|dir| dir.name == name) else {
            let lines = format!("grants: {{dir: [{{name: {name}, path: /PATH, access: read}}]}}");
            let next = format!("add in the manifest, to the provider's entry in capabilities: {lines}");
            return Err((Refusal::Denied, format!("no directory named {name:?} is granted; {next}")));
        };
        if writable && !dir.writable {
            return Err((Refusal::Denied, format!("directory {name:?} is granted for reading only")));
        }
        nix::fcntl::open(dir.path.as_str(), OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
            .map_err(|errno| (Refusal::Failed, format!("opening directory {name:?}: {errno}")))
    }
}

impl Named for File {
    fn open(exports: &Exports, name: &str, writable: bool) -> Granted {
        exports.asks.ask(Want::File { name: name.to_owned(), writable }, Deadline::after(ASK_TIMEOUT))
    }
}

/// # Safety
/// As the ABI says of this function: pointers are null where it allows that, and otherwise live until it returns.
pub(super) unsafe extern "C" fn open<T: Named>(
    context: *mut c_void,
    name: abi::Slice,
    access: abi::Access,
    fd: *mut i32,
    why: *mut abi::Sink,
) -> Status {
    // SAFETY: context, slice, place and sink are as the ABI says.
    unsafe {
        let granted = match sink::text(name) {
            Some(name) => T::open(exports(context), name, access == abi::Access::WRITE),
            None => Err(not_text()),
        };
        hand_over(granted, (fd, why))
    }
}

/// # Safety
/// As the ABI says of this function: pointers are null where it allows that, and otherwise live until it returns.
pub(super) unsafe extern "C" fn listen(
    context: *mut c_void,
    address: abi::Slice,
    fd: *mut i32,
    why: *mut abi::Sink,
) -> Status {
    // SAFETY: context, slice, place and sink are as the ABI says.
    unsafe {
        let want = sink::text(address).map(|address| Want::Listen { address: address.to_owned() });
        ask(context, want, Deadline::after(ASK_TIMEOUT), (fd, why))
    }
}

/// # Safety
/// As the ABI says of this function: pointers are null where it allows that, and otherwise live until it returns.
pub(super) unsafe extern "C" fn connect(
    context: *mut c_void,
    address: abi::Slice,
    deadline_ns: u64,
    fd: *mut i32,
    why: *mut abi::Sink,
) -> Status {
    // SAFETY: context, slice, place and sink are as the ABI says.
    unsafe {
        let want = sink::text(address).map(|address| Want::Connect { address: address.to_owned(), deadline_ns });
        ask(context, want, Deadline::from_monotonic_ns(deadline_ns), (fd, why))
    }
}

/// # Safety
/// `context` must be ours, place and sink must live until this returns.
unsafe fn ask(context: *mut c_void, want: Option<Want>, by: Deadline, places: Places) -> Status {
    let granted = match want {
        // SAFETY: by the promise above.
        Some(want) => unsafe { exports(context) }.asks.ask(want, by),
        None => Err(not_text()),
    };
    // SAFETY: by the promise above.
    unsafe { hand_over(granted, places) }
}

/// # Safety
/// Place and sink must live until this returns.
unsafe fn hand_over(granted: Granted, (fd, why): Places) -> Status {
    let (refusal, reason) = match granted {
        Ok(granted) => {
            // SAFETY: by the promise above.
            unsafe { *fd = granted.into_raw_fd() };
            return Status::OK;
        }
        Err(refused) => refused,
    };
    let status = match refusal {
        Refusal::Denied => Status::DENIED,
        Refusal::Failed => Status::FAILED,
        Refusal::Late => Status::LATE,
        Refusal::Invalid => Status::INVALID,
    };
    // SAFETY: by the promise above.
    unsafe { refuse(why, status, &reason) }
}

fn not_text() -> (Refusal, String) {
    (Refusal::Invalid, "the name must be UTF-8".to_owned())
}
