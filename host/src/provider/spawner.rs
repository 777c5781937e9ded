//! The one thread that starts processes. The kernel sends a child its parent-death signal when the *thread* that started
//! it ends, so this one lives as long as the host. It also sees to the control groups that they are born in.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::runtime::Handle;
use tokio::sync::mpsc::{Sender, WeakSender, channel};
use tokio::sync::oneshot;

use super::cgroup::{Bounds, ControlGroup, ControlGroups, Reason};
use super::child::{Alive, Unwatched};
use super::greeting::FirstWords;
use super::group::Group;
use super::sandbox::Sandbox;

/// Orders that may wait; whoever orders more waits, by the time-out of a start.
const ORDERS_MAX: usize = 16;

/// Starts processes until it is dropped.
#[derive(Debug)]
pub struct Spawner {
    /// None once it is being dropped.
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Order {
    Start(Start),
    /// Nobody waits for a process now.
    Prepare,
}

#[derive(Debug)]
struct Start {
    program: PathBuf,
    control: (OwnedFd, FirstWords),
    bounds: Option<Bounds>,
    alive: Alive,
    done: oneshot::Sender<io::Result<Spawned>>,
}

/// A process that was started.
#[derive(Debug)]
pub(super) struct Spawned {
    /// First: who drops all of this waits for nothing, and the thread moves on before the group is removed.
    pub(super) awaited: Awaited,
    pub(super) group: Unwatched,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
    /// Why it has no control group, where it was to have one.
    pub(super) unbounded: Option<Reason>,
    /// What it is to be told, as far as it does not lie in the control socket already.
    pub(super) words: FirstWords,
}

/// Somebody waits for a process that was started. Until this is dropped, the thread that starts them prepares nothing for
/// the next: the kernel lets it run before its child, on the same processor.
#[derive(Debug)]
pub(super) struct Awaited(WeakSender<Order>);

impl Drop for Awaited {
    fn drop(&mut self) {
        if let Some(orders) = self.0.upgrade() {
            // Where there is no room, a start comes next, and prepares for itself.
            let _ = orders.try_send(Order::Prepare);
        }
    }
}

/// The groups that processes get.
enum Groups {
    /// Nobody wants any.
    Unwanted,
    Made {
        groups: ControlGroups,
        /// The log has it that one could not be made.
        told: bool,
    },
    /// None can be made here.
    Failed(Reason),
}

impl Spawner {
    /// Starts the thread. Without a sandbox there are no groups.
    pub fn start(sandbox: Sandbox) -> io::Result<Self> {
        let (orders, mut received) = channel::<Order>(ORDERS_MAX);
        let to_us = orders.downgrade();
        let runtime = Handle::try_current().ok();
        let work = move || {
            // Where processes are reaped that nobody takes.
            let _entered = runtime.as_ref().map(Handle::enter);
            let mut groups = if sandbox == Sandbox::Off { Groups::Unwanted } else { Groups::open() };
            groups.prepare();
            while let Some(order) = received.blocking_recv() {
                match order {
                    Order::Start(start) => start.carry_out(&mut groups, Awaited(to_us.clone())),
                    Order::Prepare => groups.prepare(),
                }
            }
        };
        let thread = thread::Builder::new().name("spawner".into()).spawn(work)?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    /// Starts `program` with its end of a control socket as its standard input and nothing else of ours. `alive` is held
    /// until it is reaped.
    pub(super) async fn spawn(
        &self,
        program: &Path,
        control: (OwnedFd, FirstWords),
        (bounds, alive): (Option<Bounds>, Alive),
    ) -> io::Result<Spawned> {
        let ended = || io::Error::other("the thread that starts processes has ended");
        let (done, spawned) = oneshot::channel();
        let start = Start { program: program.to_owned(), control, bounds, alive, done };
        let orders = self.orders.as_ref().ok_or_else(ended)?;
        orders.send(Order::Start(start)).await.map_err(|_| ended())?;
        spawned.await.map_err(|_| ended())?
    }
}

impl Start {
    fn carry_out(self, groups: &mut Groups, awaited: Awaited) {
        if self.done.is_closed() {
            return;
        }
        let Self { program, control, bounds, alive, done } = self;
        if let Err(not_taken) = done.send(spawn(&program, control, (bounds, alive), (groups, awaited))) {
            // Whoever ordered has gone. This kills and reaps the process, and removes the group, in which this thread is
            // to stand no more.
            groups.prepare();
            drop(not_taken);
        }
    }
}

impl Drop for Spawner {
    /// Waits for the thread, which removes the host's control group: some 10 ms, once in the life of a host.
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread is in the log already.
            let _ = thread.join();
        }
    }
}

impl Groups {
    fn open() -> Self {
        match ControlGroups::open() {
            Ok(groups) => Self::Made { groups, told: false },
            Err(error) => {
                tracing::warn!(
                    "providers are bounded by their own limits only, and by no control group: {error}; {}",
                    error.next_step()
                );
                Self::Failed(Arc::new(error))
            }
        }
    }

    /// For the next process, while nobody waits. What can't be done now is tried again, and told, when it is wanted.
    fn prepare(&mut self) {
        if let Self::Made { groups, .. } = self {
            let _ = groups.prepare();
        }
    }

    /// Before a process is started.
    fn begin(&mut self, bounds: Option<Bounds>) -> Result<(), Reason> {
        match (self, bounds) {
            (Self::Made { groups, told }, Some(bounds)) => groups.begin(bounds).map_err(|error| tell(told, error)),
            (Self::Failed(reason), Some(_)) => Err(reason.clone()),
            (_, None) | (Self::Unwanted, _) => Ok(()),
        }
    }

    /// Whether a process is in its group from the beginning, and not moved there once it was started.
    fn are_born_in(&self, bounds: Option<Bounds>) -> bool {
        match (self, bounds) {
            (Self::Made { groups, .. }, Some(bounds)) => groups.are_born_in(bounds),
            (Self::Made { .. }, None) | (Self::Unwanted | Self::Failed(_), _) => true,
        }
    }

    /// It could not be started.
    fn discard(&mut self) {
        if let Self::Made { groups, .. } = self {
            groups.discard();
        }
    }

    /// After it was started.
    fn take(&mut self, pid: u32) -> Result<Option<ControlGroup>, Reason> {
        match self {
            Self::Made { groups, told } => groups.take(pid).map_err(|error| tell(told, error)),
            Self::Unwanted | Self::Failed(_) => Ok(None),
        }
    }
}

/// Once is enough: `ps` shows it of each provider.
fn tell(told: &mut bool, error: super::cgroup::CgroupError) -> Reason {
    if !std::mem::replace(told, true) {
        tracing::warn!("a provider is bounded by its own limits only: {error}; {}", error.next_step());
    }
    Arc::new(error)
}

/// No environment, no arguments, and no `pre_exec`: so the standard library takes `posix_spawn`, which does not copy the
/// page tables of a big host. The process leads a group of its own.
fn spawn(
    program: &Path,
    (control, mut words): (OwnedFd, FirstWords),
    (bounds, alive): (Option<Bounds>, Alive),
    (groups, awaited): (&mut Groups, Awaited),
) -> io::Result<Spawned> {
    let begun = groups.begin(bounds);
    if groups.are_born_in(bounds) {
        words.say();
    }
    let mut child = Command::new(program)
        .env_clear()
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::from(control))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .inspect_err(|_| groups.discard())?;
    let mut group = Group::led_by(child.id())?;
    let unbounded = match begun.and_then(|()| groups.take(child.id())) {
        Ok(control_group) => {
            group.bounded_by(control_group);
            None
        }
        Err(reason) => Some(reason),
    };
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(io::Error::other("the pipes of the process are missing"));
    };
    Ok(Spawned { awaited, group: Unwatched::new(group, alive), stdout, stderr, unbounded, words })
}
