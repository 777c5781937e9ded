//! How a process ended, in words, and what it had used up to then.

#![allow(unsafe_code)]

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::Signal;
use nix::sys::wait::WaitStatus;
use tokio::io::unix::AsyncFd;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself.
    Code(i32),
    /// By a signal.
    Signal(Signal),
    /// By the kernel, because its control group had no memory left.
    OutOfMemory {
        /// What the group may have.
        limit_bytes: u64,
    },
    /// The system did not say.
    Unknown,
}

/// What a process used, with all of its threads, by the kernel's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) user: Duration,
    pub(super) system: Duration,
    pub(super) memory_bytes_peak: u64,
    /// The same of its control group, with what the kernel held for it.
    pub(super) group_memory_bytes_peak: Option<u64>,
    pub(super) page_faults_major: u64,
    pub(super) page_faults_minor: u64,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(signal) => write!(f, "killed by signal {} ({signal})", *signal as i32),
            Self::OutOfMemory { limit_bytes } => {
                let mib = limit_bytes >> 20;
                write!(f, "ran out of its memory limit of {mib} MiB, all that is held for it counted, and was killed")
            }
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
pub(super) async fn wait(pidfd: &AsyncFd<OwnedFd>) -> (Exit, Option<Usage>) {
    // A pidfd becomes readable when the process has ended, and stays so.
    let _ = pidfd.readable().await;
    reap(pidfd.get_ref())
}

/// `waitid` as the kernel has it, which says what was used, too.
fn reap(pidfd: &OwnedFd) -> (Exit, Option<Usage>) {
    // SAFETY: zeros are good values of both, which the kernel fills.
    let (mut info, mut usage): (libc::siginfo_t, libc::rusage) = unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    let (id, descriptor) = (libc::P_PIDFD, pidfd.as_raw_fd());
    // SAFETY: the kernel writes to the two places, which live until it returns.
    let result =
        unsafe { libc::syscall(libc::SYS_waitid, id, descriptor, &raw mut info, libc::WEXITED, &raw mut usage) };
    if Errno::result(result).is_err() {
        return (Exit::Unknown, None);
    }
    // SAFETY: the information is of a child that ended, which has a status.
    let status = unsafe { info.si_status() };
    let exit = match info.si_code {
        libc::CLD_EXITED => Exit::Code(status),
        libc::CLD_KILLED | libc::CLD_DUMPED => Signal::try_from(status).map_or(Exit::Unknown, Exit::Signal),
        _ => Exit::Unknown,
    };
    (exit, Some(Usage::from(usage)))
}

impl From<libc::rusage> for Usage {
    fn from(usage: libc::rusage) -> Self {
        let number = |number: i64| u64::try_from(number).unwrap_or(0);
        let time = |time: libc::timeval| {
            Duration::from_secs(number(time.tv_sec)) + Duration::from_micros(number(time.tv_usec))
        };
        Self {
            user: time(usage.ru_utime),
            system: time(usage.ru_stime),
            // The kernel counts KiB.
            memory_bytes_peak: number(usage.ru_maxrss) << 10,
            group_memory_bytes_peak: None,
            page_faults_major: number(usage.ru_majflt),
            page_faults_minor: number(usage.ru_minflt),
        }
    }
}
