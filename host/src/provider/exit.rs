//! How a process ended, in words.

#![allow(unsafe_code)]

use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use tokio::io::unix::AsyncFd;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself.
    Code(i32),
    /// By a signal.
    Signal(Signal),
    /// The system did not say.
    Unknown,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(signal) => write!(f, "killed by signal {} ({signal})", *signal as i32),
            Self::Unknown => write!(f, "ended for an unknown reason"),
        }
    }
}

impl Exit {
    pub(super) const fn from_status(status: &WaitStatus) -> Self {
        match status {
            WaitStatus::Exited(_, code) => Self::Code(*code),
            WaitStatus::Signaled(_, signal, _) => Self::Signal(*signal),
            _ => Self::Unknown,
        }
    }
}

/// Makes the end of the process an event.
pub(super) fn watch(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the `AsyncFd` owns the descriptor, which nobody closes before it is dropped.
    Ok(unsafe { AsyncFd::register(pidfd) }?)
}

/// Waits for the end of the process and reaps it.
pub(super) async fn wait(pidfd: &AsyncFd<OwnedFd>) -> Exit {
    // A pidfd becomes readable when the process has ended, and stays so.
    let _ = pidfd.readable().await;
    let status = waitid(Id::PIDFd(pidfd.get_ref().as_fd()), WaitPidFlag::WEXITED);
    status.map_or(Exit::Unknown, |status| Exit::from_status(&status))
}
