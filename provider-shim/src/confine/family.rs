//! A pid namespace needs a first process. If the provider were it, the kernel would treat its death otherwise: an abort
//! would look like a segmentation fault, and it could not kill itself. So there are two, and both are children of the
//! host, which sees how each of them ends; this process has done its part then.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Act, failed, privileges};

/// Returns in the second process of a new pid namespace. The first one exists for as long as the host lets it, and the
/// process that called has ended.
pub(super) fn found(control: &UnixStream) -> Act {
    if clone_sibling().map_err(failed("clone3(CLONE_PARENT) of init"))? == Child::Here {
        be_init(control);
    }
    if clone_sibling().map_err(failed("clone3(CLONE_PARENT) of the provider"))? == Child::Here {
        return Ok(());
    }
    crate::serve::exit(0)
}

#[derive(PartialEq, Eq)]
enum Child {
    /// This is the new process.
    Here,
    /// The new process is another.
    There,
}

/// A child of our parent, with a copy of our memory. There is one thread only, so the copy is whole.
fn clone_sibling() -> io::Result<Child> {
    // SAFETY: a `clone_args` of zeros is a good one.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = libc::CLONE_PARENT as u64;
    if let Some(place) = thread_id_place() {
        // The C library keeps the thread id in its memory, and would go on to use ours.
        args.flags |= (libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID) as u64;
        args.child_tid = place;
    }
    // SAFETY: without CLONE_VM the child has its own copy of everything, as after a fork; the place for the thread id,
    // if any, is the one the kernel was told of when this process began.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<libc::clone_args>()) };
    Ok(if Errno::result(pid)? == 0 { Child::Here } else { Child::There })
}

/// Where the C library keeps the id of this thread: it told the kernel, so that it is cleared at the end.
fn thread_id_place() -> Option<u64> {
    let mut place: u64 = 0;
    // SAFETY: the kernel writes one address to where the argument points.
    let result = unsafe { libc::prctl(libc::PR_GET_TID_ADDRESS, &raw mut place) };
    (result == 0 && place != 0).then_some(place)
}

/// Does nothing, until the kernel or the host ends it.
fn be_init(control: &UnixStream) -> ! {
    let ready = privileges::die_with_the_host().is_ok()
        && host_lives(control)
        && privileges::gain_nothing().is_ok()
        && privileges::drop_capabilities().is_ok()
        && privileges::hide_memory().is_ok();
    if !ready {
        crate::serve::exit(71);
    }
    // SAFETY: nothing in this process uses a descriptor any more.
    unsafe { libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0) };
    loop {
        // SAFETY: it takes nothing and returns only after a signal's handler, of which there is none.
        unsafe { libc::pause() };
    }
}

/// The host may have died before its death could be a signal to us; then its end of the socket is closed.
fn host_lives(control: &UnixStream) -> bool {
    let mut sockets = [PollFd::new(control.as_fd(), PollFlags::POLLHUP)];
    matches!(poll(&mut sockets, PollTimeout::ZERO), Ok(0))
}
