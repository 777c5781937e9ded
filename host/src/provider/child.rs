//! A process of ours that is watched. Nothing here ever leaves one running or unreaped.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

use super::exit::{self, Exit};
use super::spawner::{self, Unreaped};

/// A watched process. Dropping it kills the process and reaps it.
pub(super) struct Child {
    pid: u32,
    /// None once the process is left to whoever reaps it.
    pidfd: Option<AsyncFd<OwnedFd>>,
    reaped: bool,
    /// Held until it is reaped.
    alive: Alive,
}

/// Whoever makes processes knows by this whether one still lives.
pub(super) type Alive = watch::Receiver<()>;

impl Child {
    /// Takes over who reaps the process. On an error nobody has to: it is gone.
    pub(super) fn watch(pid: u32, unreaped: Unreaped, alive: Alive) -> io::Result<Self> {
        // A copy is watched, so that the process is reaped if it can't be.
        let pidfd = exit::watch(unreaped.pidfd()?.try_clone()?)?;
        unreaped.disarm();
        Ok(Self { pid, pidfd: Some(pidfd), reaped: false, alive })
    }

    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for its end and reaps it. May be dropped and called again.
    pub(super) async fn exit(&mut self) -> Exit {
        let exit = match &self.pidfd {
            Some(pidfd) => exit::wait(pidfd).await,
            None => Exit::Unknown,
        };
        self.reaped = true;
        exit
    }

    pub(super) async fn exit_within(&mut self, time: Duration) -> Option<Exit> {
        tokio::time::timeout(time, self.exit()).await.ok()
    }

    pub(super) fn kill(&self) {
        if let Some(pidfd) = &self.pidfd {
            spawner::kill(pidfd.get_ref());
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.reaped {
            return;
        }
        self.kill();
        // Without a runtime the host itself is ending, and whoever started it reaps.
        if let (Some(pidfd), Ok(runtime)) = (self.pidfd.take(), tokio::runtime::Handle::try_current()) {
            let alive = self.alive.clone();
            runtime.spawn(async move {
                exit::wait(&pidfd).await;
                drop(alive);
            });
        }
    }
}
