//! The one thread that starts processes. The kernel sends a child its parent-death signal when the *thread* that started
//! it ends, so this one lives as long as the host.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, ChildStdout, Command, Stdio};
use std::thread;

use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use tokio::sync::mpsc::{Sender, channel};
use tokio::sync::oneshot;

/// Orders that may wait; whoever orders more waits, by the time-out of a start.
const ORDERS_MAX: usize = 16;

/// Starts processes until it is dropped.
#[derive(Debug)]
pub struct Spawner {
    orders: Sender<Order>,
}

struct Order {
    program: PathBuf,
    control: OwnedFd,
    done: oneshot::Sender<io::Result<Spawned>>,
}

/// A process that was started.
#[derive(Debug)]
pub(super) struct Spawned {
    pub(super) pid: u32,
    pub(super) unreaped: Unreaped,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

/// The duty to reap a process. Dropping it kills and reaps: whoever ordered the process may have gone.
#[derive(Debug)]
pub(super) struct Unreaped {
    /// None once somebody else has the duty.
    pidfd: Option<OwnedFd>,
}

impl Spawner {
    /// Starts the thread.
    pub fn start() -> io::Result<Self> {
        let (orders, mut received) = channel::<Order>(ORDERS_MAX);
        thread::Builder::new().name("spawner".into()).spawn(move || {
            while let Some(Order { program, control, done }) = received.blocking_recv() {
                // Whoever ordered may have gone: what is not taken kills and reaps its process when it is dropped.
                let _ = done.send(spawn(&program, control));
            }
        })?;
        Ok(Self { orders })
    }

    /// Starts `program` with `control` as its standard input and nothing else of ours.
    pub(super) async fn spawn(&self, program: &Path, control: OwnedFd) -> io::Result<Spawned> {
        let (done, spawned) = oneshot::channel();
        let order = Order { program: program.to_owned(), control, done };
        self.orders.send(order).await.map_err(|_| io::Error::other("the thread that starts processes has ended"))?;
        spawned.await.map_err(|_| io::Error::other("the thread that starts processes has ended"))?
    }
}

impl Unreaped {
    pub(super) fn pidfd(&self) -> io::Result<&OwnedFd> {
        self.pidfd.as_ref().ok_or_else(|| io::Error::other("the process was left to somebody else"))
    }

    /// From now on somebody else reaps.
    pub(super) fn disarm(mut self) {
        self.pidfd = None;
    }
}

impl Drop for Unreaped {
    fn drop(&mut self) {
        if let Some(pidfd) = self.pidfd.take() {
            kill(&pidfd);
            // A killed process that has loaded nothing yet ends at once.
            let _ = waitid(Id::PIDFd(pidfd.as_fd()), WaitPidFlag::WEXITED);
        }
    }
}

/// No environment, no arguments, and no `pre_exec`: so the standard library takes `posix_spawn`, which does not copy the
/// page tables of a big host.
fn spawn(program: &Path, control: OwnedFd) -> io::Result<Spawned> {
    let mut child = Command::new(program)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(control))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let pidfd = pidfd_open(child.id()).inspect_err(|_| {
        // Without a pidfd the process can't be watched: end it here, where it can still be reaped.
        let _ = child.kill();
        let _ = child.wait();
    })?;
    let unreaped = Unreaped { pidfd: Some(pidfd) };
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(io::Error::other("the pipes of the process are missing"));
    };
    Ok(Spawned { pid: child.id(), unreaped, stdout, stderr })
}

fn pidfd_open(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two numbers. The pid is that of our child, which nobody has reaped.
    let raw = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    let raw = i32::try_from(raw).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Kills the process behind a pidfd. One that has ended already is no error.
pub(super) fn kill(pidfd: &OwnedFd) {
    let (no_info, no_flags) = (std::ptr::null::<libc::siginfo_t>(), 0);
    // SAFETY: the call reads nothing but its arguments; the descriptor is a pidfd of ours.
    unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), libc::SIGKILL, no_info, no_flags) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_nobody_takes_is_killed_and_reaped() {
        let (_ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let spawned = spawn(Path::new("/bin/cat"), theirs.into()).unwrap();
        let pidfd = spawned.unreaped.pidfd().unwrap().try_clone().unwrap();
        drop(spawned);
        let again = waitid(Id::PIDFd(pidfd.as_fd()), WaitPidFlag::WEXITED);
        assert_eq!(again, Err(Errno::ECHILD), "it was reaped already");
    }
}
