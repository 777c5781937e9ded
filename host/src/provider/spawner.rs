//! The one thread that starts processes. The kernel sends a child its parent-death signal when the *thread* that started
//! it ends, so this one lives as long as the host.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, ChildStdout, Command, Stdio};
use std::thread;

use tokio::sync::mpsc::{Sender, channel};
use tokio::sync::oneshot;

use super::group::Group;

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
    pub(super) group: Group,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
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

/// No environment, no arguments, and no `pre_exec`: so the standard library takes `posix_spawn`, which does not copy the
/// page tables of a big host. The process leads a group of its own.
fn spawn(program: &Path, control: OwnedFd) -> io::Result<Spawned> {
    let mut child = Command::new(program)
        .env_clear()
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::from(control))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let group = Group::led_by(child.id())?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(io::Error::other("the pipes of the process are missing"));
    };
    Ok(Spawned { group, stdout, stderr })
}
