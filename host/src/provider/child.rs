//! The process of ours that a provider runs in, watched, and those that exist for it. Nothing here ever leaves one
//! running or unreaped.
#![allow(unsafe_code)]

use std::io;
use std::ops::Deref;
use std::os::fd::{FromRawFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

use super::exit::{self, Exit, Usage};
use super::group::Group;

/// A watched process. Dropping it kills the process and reaps it.
pub(super) struct Child {
    pid: Pid,
    pidfd: AsyncFd<OwnedFd>,
    /// None once the process has ended and the rest is left to whoever reaps it.
    group: Option<Group>,
    /// What it had used, once it has ended.
    usage: Option<Usage>,
    /// Held until it is reaped.
    alive: Alive,
}

/// Whoever makes processes knows by this whether one still lives.
pub(super) type Alive = watch::Receiver<()>;

/// The processes of a start, before one of them is watched. Dropping it ends and reaps them, as with a [`Child`].
#[derive(Debug)]
pub(super) struct Unwatched {
    group: Group,
    alive: Alive,
}

impl Unwatched {
    pub(super) const fn new(group: Group, alive: Alive) -> Self {
        Self { group, alive }
    }

    /// Without whoever watches over it, for who blocks.
    #[cfg(test)]
    pub(super) fn group(mut self) -> Group {
        self.group.take()
    }

    /// Ends and reaps them, and returns how they ended when that says something.
    pub(super) async fn end(mut self) -> Option<Exit> {
        end(self.group.take(), self.alive.clone()).await
    }
}

impl Deref for Unwatched {
    type Target = Group;

    fn deref(&self) -> &Group {
        &self.group
    }
}

impl Drop for Unwatched {
    fn drop(&mut self) {
        let group = self.group.take();
        if !group.is_done() {
            group.kill();
            reap(group, self.alive.clone());
        }
    }
}

impl Child {
    /// Watches `pid`, by the kernel's word the process that said hello. It must be one of those that were started.
    pub(super) fn watch(pid: Pid, mut started: Unwatched) -> io::Result<Self> {
        if !started.has(pid) {
            return Err(io::Error::other("a process said hello that is none of those that were started"));
        }
        let pidfd = exit::watch(pidfd_open(pid)?)?;
        let (group, alive) = (started.group.take(), started.alive.clone());
        if pid.as_raw().cast_unsigned() != group.leader() {
            group.reap_leader();
        }
        Ok(Self { pid, pidfd, group: Some(group), usage: None, alive })
    }

    /// Reaps the process that became this one, if it took its time to end and had not when this one was first watched.
    pub(super) fn reap_leader(&self) {
        if let Some(group) = self.group.as_ref().filter(|group| group.leader() != self.pid()) {
            group.reap_leader();
        }
    }

    pub(super) const fn pid(&self) -> u32 {
        self.pid.as_raw().cast_unsigned()
    }

    /// Waits for its end and reaps it. May be dropped and called again.
    pub(super) async fn exit(&mut self) -> Exit {
        if self.group.is_none() {
            return Exit::Unknown;
        }
        let (exit, usage) = exit::wait(&self.pidfd).await;
        let peak = self.group.as_ref().and_then(|group| group.counters().memory_bytes_peak);
        self.usage = usage.map(|usage| Usage { group_memory_bytes_peak: peak, ..usage });
        // Asked before the group is gone. What it does by itself when memory is refused is its own end.
        let killed = matches!(exit, Exit::Signal(Signal::SIGKILL));
        let out_of_memory = self.group.as_ref().filter(|_| killed).and_then(Group::out_of_memory);
        self.end_the_rest();
        out_of_memory.unwrap_or(exit)
    }

    pub(super) const fn usage(&self) -> Option<Usage> {
        self.usage
    }

    pub(super) fn kill(&self) {
        if let Some(group) = &self.group {
            group.kill();
        }
    }

    /// Ends what existed for it, and reaps all, beside everything else.
    fn end_the_rest(&mut self) {
        let Some(group) = self.group.take() else { return };
        group.kill();
        reap(group, self.alive.clone());
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end_the_rest();
    }
}

/// Reaps a group that was killed, on a thread that may block, and returns how it ended when that says something.
pub(super) async fn end(group: Group, alive: Alive) -> Option<Exit> {
    group.kill();
    let reaping = tokio::task::spawn_blocking(move || {
        let exit = group.reap();
        drop(alive);
        exit
    });
    let ended = tokio::time::timeout(REAP_TIMEOUT, reaping).await;
    ended.ok().and_then(Result::ok).flatten()
}

/// A killed process that hasn't ended after this long hangs in the kernel; whoever reaps it goes on waiting.
const REAP_TIMEOUT: Duration = Duration::from_secs(2);

fn reap(group: Group, alive: Alive) {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => {
            runtime.spawn_blocking(move || {
                group.reap();
                drop(alive);
            });
        }
        // The host itself is ending. What was killed is gone in a moment.
        Err(_) => drop(group),
    }
}

fn pidfd_open(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two numbers. The pid is that of our child, which nobody has reaped.
    let raw = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) })?;
    let raw = i32::try_from(raw).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}
