//! One thread that sockets live on: a current-thread runtime, and a queue of calls of its own. Nothing on it may block.
//!
//! A request never leaves the loop of its connection: it is read, called for and answered there.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use cofferdam_provider::tokio::Calls;
use cofferdam_provider::{Host, Level};
use thiserror::Error;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

/// A loop, as its connections and those who give it some know it.
#[derive(Debug)]
pub(crate) struct EventLoop {
    number: usize,
    handle: Handle,
    calls: Calls,
    connections: AtomicUsize,
    has_ended: AtomicBool,
}

/// The thread of a loop. Dropping it drops the loop's tasks and waits for the thread.
#[derive(Debug)]
pub(crate) struct LoopThread {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Why a loop could not be started: the system or the host has no more of something.
#[derive(Debug, Error)]
pub(crate) enum StartError {
    #[error("making its runtime")]
    Runtime(#[source] io::Error),
    #[error("making its queue of calls")]
    Queue(#[source] io::Error),
    #[error("starting its thread")]
    Thread(#[source] io::Error),
}

impl EventLoop {
    pub(crate) fn start(number: usize, host: Host) -> Result<(Arc<Self>, LoopThread), StartError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(StartError::Runtime)?;
        let handle = runtime.handle().clone();
        let calls = {
            let _entered = handle.enter();
            Calls::new(host).map_err(StartError::Queue)?
        };
        let (connections, has_ended) = (AtomicUsize::new(0), AtomicBool::new(false));
        let this = Arc::new(Self { number, handle, calls, connections, has_ended });
        let (stop, stopped) = oneshot::channel();
        let thread = {
            let this = Arc::clone(&this);
            let run = move || this.run(runtime, stopped, host);
            std::thread::Builder::new().name(format!("http-loop-{number}")).spawn(run).map_err(StartError::Thread)?
        };
        Ok((this, LoopThread { stop: Some(stop), thread: Some(thread) }))
    }

    /// The thread. tokio catches what panics in a task; a panic in the loop itself ends it, and is told: its connections are
    /// closed at once rather than left without anybody who serves them, new ones go to other loops, and the
    /// provider's health says so until the host has started another process.
    fn run(&self, runtime: Runtime, stopped: oneshot::Receiver<()>, host: Host) {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            // Either way it ends: told to, or the provider is gone.
            let _ = runtime.block_on(stopped);
        }));
        self.has_ended.store(true, Ordering::Release);
        // With it go its tasks, and with those their sockets and calls.
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(runtime)));
        if ended.and(dropped).is_err() {
            host.log(Level::ERROR, &format!("event loop {} panicked; its connections are closed", self.number));
        }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// For calls of what runs on this loop.
    pub(crate) fn calls(&self) -> &Calls {
        &self.calls
    }

    /// Of those that were given to it, how many have not ended.
    pub(crate) fn connections(&self) -> &AtomicUsize {
        &self.connections
    }

    /// Whether it can serve: its thread lives, and so does what takes the ends of its calls.
    pub(crate) fn is_running(&self) -> bool {
        !self.has_ended.load(Ordering::Acquire) && !self.calls.is_closed()
    }

    pub(crate) fn number(&self) -> usize {
        self.number
    }
}

impl LoopThread {
    /// Ends the loop. Does not wait for it.
    pub(crate) fn stop(&mut self) {
        self.stop = None;
    }
}

impl Drop for LoopThread {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            // It catches what panics in it.
            let _ = thread.join();
        }
    }
}
