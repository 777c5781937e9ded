//! Calls to actors as futures, for providers that run an event loop. One [`Calls`] per runtime.
//!
//! It never blocks a runtime thread: a call is begun without waiting, and its end wakes the one task that drains the
//! [`Completions`]. It needs no more than a current-thread runtime with I/O enabled. It keeps no time: the host ends
//! every call by its deadline.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::{CallError, Completions, Host, Request};

type Answer = Result<Vec<u8>, CallError>;

/// Makes calls to actors from one runtime. Clones share the queue; the last one to go gives up what is in flight.
#[derive(Clone, Debug)]
pub struct Calls {
    flights: Arc<Flights>,
    _driver: Arc<Driver>,
}

/// The calls in flight and who waits for each.
#[derive(Debug)]
struct Flights {
    queue: Completions,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Never used twice, so a late completion can't be taken for another call's.
    next_token: u64,
    answers: HashMap<u64, oneshot::Sender<Answer>>,
    /// The runtime has gone: nobody would take a completion.
    closed: bool,
}

/// Ends the driving task with the last [`Calls`].
#[derive(Debug)]
struct Driver(AbortHandle);

impl Calls {
    /// Makes a queue and the task that drains it, on the runtime that this is called in.
    ///
    /// # Errors
    /// When there is no descriptor left for the queue, or the runtime's I/O is not enabled.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub fn new(host: Host) -> io::Result<Self> {
        let queue = host.completions().map_err(io::Error::other)?;
        let flights = Arc::new(Flights { queue, waiting: Mutex::default() });
        let descriptor = Descriptor(Arc::clone(&flights));
        // SAFETY: the descriptor belongs to the queue, which `Descriptor` keeps alive, and with it open, until after the
        // registration is gone; the ABI has one descriptor a queue.
        #[allow(unsafe_code)]
        let descriptor = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?;
        let driver = tokio::spawn(drive(descriptor));
        Ok(Self { flights, _driver: Arc::new(Driver(driver.abort_handle())) })
    }

    /// Calls a linked actor. Dropping the future gives the call up at once.
    pub async fn call(&self, request: &Request<'_>) -> Answer {
        let (mut flight, answer) = self.flights.begin(request)?;
        let answer = answer.await;
        // Without an answer the driver has gone, and the call may still run.
        flight.is_running = answer.is_err();
        drop(flight);
        answer.unwrap_or(Err(CallError::Cancelled))
    }

    /// Whether the task that takes the ends of calls has gone, with its runtime or by a panic: no call can be made any more.
    pub fn is_closed(&self) -> bool {
        self.flights.lock().closed
    }

    /// How many calls are in flight.
    pub fn in_flight(&self) -> usize {
        self.flights.lock().answers.len()
    }
}

impl Flights {
    fn begin(self: &Arc<Self>, request: &Request<'_>) -> Result<(Flight, oneshot::Receiver<Answer>), CallError> {
        let (sender, receiver) = oneshot::channel();
        let token = {
            let mut waiting = self.lock();
            if waiting.closed {
                return Err(CallError::Unavailable("the runtime that makes the calls has ended".into()));
            }
            let token = waiting.next_token;
            waiting.next_token += 1;
            waiting.answers.insert(token, sender);
            token
        };
        let mut flight = Flight { flights: Arc::clone(self), token, is_running: false };
        self.queue.start(token, request)?;
        flight.is_running = true;
        Ok((flight, receiver))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One call in flight: when it goes, its token goes, and a call that has not ended is cancelled.
#[derive(Debug)]
struct Flight {
    flights: Arc<Flights>,
    token: u64,
    is_running: bool,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.flights.lock().answers.remove(&self.token);
        if self.is_running {
            // Its completion still comes, finds nobody and is dropped. If it has come just now, the host knows no such call.
            self.flights.queue.cancel(self.token);
        }
    }
}

/// What the runtime polls. It keeps the queue, and so its descriptor, alive until it is no longer polled.
#[derive(Debug)]
struct Descriptor(Arc<Flights>);

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0.queue.as_raw_fd()
    }
}

impl Drop for Descriptor {
    /// The driver has ended, with the runtime or before it: whoever still waits is told.
    fn drop(&mut self) {
        let mut waiting = self.0.lock();
        waiting.closed = true;
        waiting.answers.clear();
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn drive(descriptor: AsyncFd<Descriptor>) {
    // Fails only when the runtime shuts down.
    while let Ok(mut ready) = descriptor.readable().await {
        // Before draining: what comes while we drain makes the descriptor ready again.
        ready.clear_ready();
        let flights = &descriptor.get_ref().0;
        while let Some(completion) = flights.queue.take_next() {
            let waiter = flights.lock().answers.remove(&completion.token);
            if let Some(waiter) = waiter {
                // Whoever waited may be gone this instant.
                let _ = waiter.send(completion.answer);
            }
        }
    }
}
