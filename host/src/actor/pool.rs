//! The instances of one actor: taken last-in first-out, made on demand up to a limit, waited for until a deadline.
//!
//! It knows nothing of WebAssembly, never polls, and never runs foreign code (a destructor included) under its mutex.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::words::Deadline;

/// Idle instances that are kept however long they lie idle.
const IDLE_KEPT: usize = 4;
/// Beyond those, an instance that was not used for this long is dropped.
const IDLE_MAX: Duration = Duration::from_secs(10);
/// Callers that may wait for one instance, as a multiple of the limit.
const WAITING_PER_INSTANCE: u32 = 4;
/// No single wait is longer; a far deadline takes several.
const WAIT_MAX: Duration = Duration::from_secs(3_600);

/// Instances of one actor.
#[derive(Debug)]
pub(super) struct Pool<T> {
    state: Mutex<State<T>>,
    freed: Condvar,
    limit: u32,
}

#[derive(Debug)]
struct State<T> {
    idle: Vec<Idle<T>>,
    busy: u32,
    waiting: u32,
    retired: bool,
}

#[derive(Debug)]
struct Idle<T> {
    instance: T,
    since: Deadline,
}

/// Why no instance was to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// All are busy, and none became free by the deadline, or too many wait already.
    Full,
    /// The actor takes no more calls.
    Retired,
}

/// The right to run one instance. Dropping it without [`Lease::put_back`] discards the instance.
#[derive(Debug)]
pub(super) struct Lease<'a, T> {
    pool: &'a Pool<T>,
    /// An idle instance, or `None`: then the holder may make one.
    pub(super) instance: Option<T>,
}

impl<T> Pool<T> {
    pub(super) fn new(limit: u32) -> Self {
        let state = State { idle: Vec::new(), busy: 0, waiting: 0, retired: false };
        Self { state: Mutex::new(state), freed: Condvar::new(), limit: limit.max(1) }
    }

    pub(super) fn limit(&self) -> u32 {
        self.limit
    }

    /// Nothing under the mutex can panic half-way, so a poisoned one is whole.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Idle and busy instances.
    pub(super) fn counts(&self) -> (u32, u32) {
        let state = self.state();
        (state.idle.len() as u32, state.busy)
    }

    /// Callers that wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> u32 {
        self.state().waiting
    }

    /// Takes an instance, or the right to make one, or waits until the deadline.
    pub(super) fn acquire(&self, deadline: Deadline) -> Result<Lease<'_, T>, Refused> {
        let mut state = self.state();
        if state.retired {
            return Err(Refused::Retired);
        }
        if state.busy >= self.limit {
            if state.waiting >= self.limit.saturating_mul(WAITING_PER_INSTANCE) {
                return Err(Refused::Full);
            }
            state.waiting += 1;
            state = self.wait(state, deadline);
            state.waiting -= 1;
            if state.retired {
                return Err(Refused::Retired);
            }
            if state.busy >= self.limit {
                return Err(Refused::Full);
            }
        }
        state.busy += 1;
        Ok(Lease { pool: self, instance: state.idle.pop().map(|idle| idle.instance) })
    }

    /// Waits until an instance is free, the pool retires, or the deadline passes.
    fn wait<'a>(&self, mut state: MutexGuard<'a, State<T>>, deadline: Deadline) -> MutexGuard<'a, State<T>> {
        while state.busy >= self.limit && !state.retired {
            let remaining = deadline.remaining();
            if remaining.is_zero() {
                break;
            }
            let waited = self.freed.wait_timeout(state, remaining.min(WAIT_MAX));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    /// Puts an instance back, or counts it as gone, and returns what is to be dropped outside the mutex.
    fn release(&self, instance: Option<T>, now: Deadline) -> Option<T> {
        let mut state = self.state();
        state.busy -= 1;
        let stale = match instance {
            Some(instance) if state.retired => Some(instance),
            Some(instance) => {
                state.idle.push(Idle { instance, since: now });
                let stale = state.idle.len() > IDLE_KEPT && now.since(state.idle[0].since) > IDLE_MAX;
                stale.then(|| state.idle.remove(0).instance)
            }
            None => None,
        };
        // Whoever waits in `retire` waits beside those who wait for an instance: then all must look.
        let (waiting, retired) = (state.waiting > 0, state.retired);
        drop(state);
        match (retired, waiting) {
            (true, _) => self.freed.notify_all(),
            (false, true) => self.freed.notify_one(),
            (false, false) => {}
        }
        stale
    }

    /// Takes no more calls, drops what is idle, and waits for what is busy until the deadline. Returns how many calls
    /// are still being served.
    pub(super) fn retire(&self, deadline: Deadline) -> u32 {
        let mut state = self.state();
        state.retired = true;
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        self.freed.notify_all();
        drop(idle);
        let mut state = self.state();
        loop {
            let remaining = deadline.remaining();
            if state.busy == 0 || remaining.is_zero() {
                return state.busy;
            }
            let waited = self.freed.wait_timeout(state, remaining.min(WAIT_MAX));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl<T> Lease<'_, T> {
    /// Keeps the instance for the next call, and drops one that lay idle for long.
    pub(super) fn put_back(mut self, instance: T, now: Deadline) {
        let stale = self.pool.release(Some(instance), now);
        self.instance = None;
        std::mem::forget(self);
        drop(stale);
    }
}

impl<T> Drop for Lease<'_, T> {
    fn drop(&mut self) {
        let stale = self.pool.release(None, Deadline::now());
        drop(stale);
    }
}
