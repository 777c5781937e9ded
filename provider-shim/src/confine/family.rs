//! A pid namespace needs a first process. If the provider were it, the kernel would treat its death otherwise: an abort
//! would look like a segmentation fault, and it could not kill itself. So there are two, and both are children of the
//! host, which sees how each of them ends; this process has done its part then.
//!
//! The first one does a single thing for the second: it makes the network namespace of both. That takes the kernel as
//! long as all else that comes with a new root, and here it is done at the same time.
#![allow(unsafe_code)]

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns};

use super::sibling::{self, Child};
use super::{Act, failed, namespaces, privileges};

/// How long the second process may take to enter the network namespace, in ms. When it is over, it can't any more.
const ENTER_TIMEOUT_MS: u16 = 10_000;

/// The first process, as the second knows it.
pub(super) struct Init {
    pidfd: OwnedFd,
    /// What became of the network namespace: a number of `errno.h`, or 0.
    made: PipeReader,
}

/// Which network the second process is going to have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    /// The one that it has.
    Kept,
    /// One that the first process makes.
    Made,
}

/// Makes the first process of a new pid namespace. It exists for as long as the host lets it.
pub(super) fn begin(control: &UnixStream, network: Network) -> Act<Init> {
    let (made, tell) = io::pipe().map_err(failed("pipe"))?;
    let Child::There(pidfd) = sibling::copy().map_err(failed("clone3(CLONE_PARENT) of init"))? else {
        // Only the second process reads, so that its end is noticed.
        drop(made);
        be_init(control, network, tell)
    };
    Ok(Init { pidfd, made })
}

impl Init {
    /// Returns in the second process of the pid namespace, and the process that called has ended.
    pub(super) fn go_on_beside(self) -> Act<Self> {
        sibling::go_on().map_err(failed("clone3(CLONE_PARENT) of the provider"))?;
        Ok(self)
    }

    /// Enters the network namespace that the first process makes, when it is there.
    pub(super) fn enter_network(mut self) -> Act {
        let mut errno = [0; 4];
        self.made.read_exact(&mut errno).map_err(failed("waiting for the network namespace"))?;
        match i32::from_le_bytes(errno) {
            0 => setns(&self.pidfd, CloneFlags::CLONE_NEWNET).map_err(failed("setns(net)")),
            errno => Err(failed("unshare(net)")(Errno::from_raw(errno))),
        }
    }
}

/// Makes the network namespace, and does nothing from then on, until the kernel or the host ends it.
fn be_init(control: &UnixStream, network: Network, tell: PipeWriter) -> ! {
    let ready = privileges::die_with_the_host().is_ok()
        && host_lives(control)
        && privileges::give_way().is_ok()
        && (network == Network::Kept || make_network(tell).is_ok())
        // Before its capabilities go, which keep the provider off until then: that may run foreign code already.
        && privileges::hide_memory().is_ok()
        && privileges::gain_nothing().is_ok()
        && privileges::drop_bounding_set().is_ok()
        && privileges::drop_capabilities().is_ok();
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

/// Says what became of it, and waits until the second process has entered: whose memory is hidden can't be entered.
fn make_network(mut tell: PipeWriter) -> io::Result<()> {
    let errno = namespaces::leave_network().err().map_or(0, |failure| failure.source.raw_os_error().unwrap_or(-1));
    tell.write_all(&errno.to_le_bytes())?;
    // The other end is closed by whoever has entered, or has died.
    let mut pipe = [PollFd::new(tell.as_fd(), PollFlags::empty())];
    poll(&mut pipe, PollTimeout::from(ENTER_TIMEOUT_MS))?;
    Ok(())
}

/// The host may have died before its death could be a signal to us; then its end of the socket is closed.
fn host_lives(control: &UnixStream) -> bool {
    let mut sockets = [PollFd::new(control.as_fd(), PollFlags::POLLHUP)];
    matches!(poll(&mut sockets, PollTimeout::ZERO), Ok(0))
}
