//! What the host hands over: the control socket, as standard input, so that the host can use `posix_spawn`. Whatever
//! else came along was not meant for this process, and goes first.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::socket::{SockType, getsockopt, sockopt};

use crate::fault::ShimFault;

/// Takes the control socket, and leaves a pipe in its place that nobody writes to: a provider that reads standard input
/// reads its end.
pub(crate) fn control_socket() -> Result<UnixStream, ShimFault> {
    close_strangers()?;
    let stdin = io::stdin();
    match getsockopt(&stdin, sockopt::SockType) {
        Ok(SockType::Stream) => {}
        _ => return Err(ShimFault::NotAShim),
    }
    let stream = UnixStream::from(stdin.as_fd().try_clone_to_owned().map_err(ShimFault::Inherit)?);
    let (nothing, _) = io::pipe().map_err(ShimFault::Inherit)?;
    nix::unistd::dup2_stdin(nothing).map_err(|errno| ShimFault::Inherit(errno.into()))?;
    Ok(stream)
}

/// A peer that has gone is an error of whoever writes to it, and no signal.
pub(crate) fn ignore_broken_pipes() -> Result<(), ShimFault> {
    // SAFETY: ignoring a signal installs no code that could run in a wrong moment.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) }.map(drop).map_err(|errno| ShimFault::Inherit(errno.into()))
}

/// Only the standard streams stay.
fn close_strangers() -> Result<(), ShimFault> {
    const FIRST_STRANGER: libc::c_uint = 3;
    // SAFETY: the call touches only the descriptor table, and nothing in this process owns a descriptor above 2 yet.
    let result = unsafe { libc::syscall(libc::SYS_close_range, FIRST_STRANGER, libc::c_uint::MAX, 0) };
    Errno::result(result).map(drop).map_err(|errno| ShimFault::Inherit(errno.into()))
}
