//! The instances of one actor: taken last-in first-out, made on demand up to a limit, waited for until a deadline, and
//! given back when they lie idle. Whoever put one back is told when to come for it ([`Pool::sweep`]).
//!
//! It knows nothing of WebAssembly, never polls, and never runs foreign code (a destructor included) under its mutex.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::words::{ActorLimits, Deadline};

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
    idle_kept: usize,
    idle_max: Duration,
}

#[derive(Debug)]
struct State<T> {
    /// The one that has lain idle for the longest comes first.
    idle: Vec<Idle<T>>,
    /// Whether somebody was asked to come for what lies idle.
    sweeping: bool,
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
    pub(super) fn new(limits: &ActorLimits) -> Self {
        let state = State { idle: Vec::new(), sweeping: false, busy: 0, waiting: 0, retired: false };
        let ActorLimits { instances_max, idle_kept, idle_max, .. } = *limits;
        let (limit, idle_kept) = (instances_max.max(1), idle_kept as usize);
        Self { state: Mutex::new(state), freed: Condvar::new(), limit, idle_kept, idle_max }
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

    /// Puts an instance back, or counts it as gone. Returns when to sweep, if nobody was told yet, and what is to be
    /// dropped outside the mutex.
    fn release(&self, instance: Option<T>, now: Deadline) -> (Option<Deadline>, Option<T>) {
        let mut state = self.state();
        state.busy -= 1;
        let stale = match instance {
            Some(instance) if state.retired => Some(instance),
            Some(instance) => {
                state.idle.push(Idle { instance, since: now });
                None
            }
            None => None,
        };
        let sweep_at = if state.sweeping { None } else { self.next_sweep(&mut state) };
        // Whoever waits in `retire` waits beside those who wait for an instance: then all must look.
        let (waiting, retired) = (state.waiting > 0, state.retired);
        drop(state);
        match (retired, waiting) {
            (true, _) => self.freed.notify_all(),
            (false, true) => self.freed.notify_one(),
            (false, false) => {}
        }
        (sweep_at, stale)
    }

    /// When the first of those that are too many will have lain idle for long enough.
    fn next_sweep(&self, state: &mut State<T>) -> Option<Deadline> {
        state.sweeping = state.idle.len() > self.idle_kept;
        state.sweeping.then(|| state.idle[0].since.plus(self.idle_max))
    }

    /// Gives back what lies idle for long, but for those that are kept, and returns when to come again.
    pub(super) fn sweep(&self, now: Deadline) -> Option<Deadline> {
        let mut state = self.state();
        let too_many = state.idle.len().saturating_sub(self.idle_kept);
        let old = state.idle.iter().take(too_many).take_while(|idle| now >= idle.since.plus(self.idle_max)).count();
        let stale: Vec<_> = state.idle.drain(..old).collect();
        let next = self.next_sweep(&mut state);
        drop(state);
        drop(stale);
        next
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
    /// Keeps the instance for the next call. Returns when to [`Pool::sweep`], where nobody is to come yet.
    #[must_use]
    pub(super) fn put_back(mut self, instance: T, now: Deadline) -> Option<Deadline> {
        let (sweep_at, stale) = self.pool.release(Some(instance), now);
        self.instance = None;
        std::mem::forget(self);
        drop(stale);
        sweep_at
    }
}

impl<T> Drop for Lease<'_, T> {
    fn drop(&mut self) {
        // Nothing was added to what lies idle, so nobody has to come for it.
        let _ = self.pool.release(None, Deadline::now());
    }
}
