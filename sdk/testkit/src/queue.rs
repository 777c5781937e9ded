//! Completions as the ABI has them: exactly one a call, by its deadline, told by an eventfd that is readable exactly
//! while one waits.

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use cofferdam_provider::__abi::Status;
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::Refused;
use crate::actor::{ActorCall, Answer, Script, late, now_ns, play, until};

/// One queue of the provider. The ABI's handle is a box of an `Arc` of it.
#[derive(Debug)]
pub(crate) struct Queue {
    event: EventFd,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    in_flight: HashMap<u64, Flight>,
    ended: VecDeque<(u64, Answer)>,
    destroyed: bool,
}

#[derive(Debug)]
struct Flight {
    deadline_ns: u64,
    given_up: Arc<AtomicBool>,
}

impl Queue {
    pub(crate) fn new() -> nix::Result<Arc<Self>> {
        let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let queue = Arc::new(Self { event, state: Mutex::default(), changed: Condvar::new() });
        let timer = Arc::clone(&queue);
        std::thread::Builder::new()
            .name("deadlines".into())
            .spawn(move || timer.end_late_ones())
            .expect("a thread for deadlines");
        Ok(queue)
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.event.as_fd().as_raw_fd()
    }

    pub(crate) fn start(self: &Arc<Self>, script: &Script, token: u64, call: ActorCall) -> Result<(), Refused> {
        let flight = Flight { deadline_ns: call.deadline_ns, given_up: Arc::clone(&call.given_up) };
        {
            let mut state = self.lock();
            if state.in_flight.contains_key(&token) {
                return Err(Refused::new(Status::INVALID, format!("the token {token} is in flight")));
            }
            state.in_flight.insert(token, flight);
        }
        self.changed.notify_all();
        let queue = Arc::clone(self);
        play(script, call, move |answer| queue.end(token, answer));
        Ok(())
    }

    pub(crate) fn cancel(&self, token: u64) {
        self.end(token, Err(Refused::new(Status::CANCELLED, "")));
    }

    pub(crate) fn next(&self) -> Option<(u64, Answer)> {
        let mut state = self.lock();
        let next = state.ended.pop_front();
        if state.ended.is_empty() {
            // Nobody waits any more: not readable. It fails only when it was not.
            let _ = self.event.read();
        }
        next
    }

    /// Calls that have neither ended nor been given up.
    pub(crate) fn in_flight(&self) -> usize {
        self.lock().in_flight.len()
    }

    pub(crate) fn is_destroyed(&self) -> bool {
        self.lock().destroyed
    }

    pub(crate) fn destroy(&self) {
        let mut state = self.lock();
        state.destroyed = true;
        state.in_flight.drain().for_each(|(_, flight)| flight.given_up.store(true, Ordering::Release));
        drop(state);
        self.changed.notify_all();
    }

    /// Whoever comes first ends the call; whoever comes later finds it gone.
    fn end(&self, token: u64, answer: Answer) {
        let mut state = self.lock();
        let Some(flight) = state.in_flight.remove(&token) else { return };
        flight.given_up.store(true, Ordering::Release);
        state.ended.push_back((token, answer));
        self.event.write(1).expect("an eventfd takes ones");
    }

    fn end_late_ones(&self) {
        let mut state = self.lock();
        while !state.destroyed {
            let now_ns = now_ns();
            let overdue = state.in_flight.iter().find(|(_, flight)| flight.deadline_ns <= now_ns);
            if let Some(token) = overdue.map(|(token, _)| *token) {
                drop(state);
                self.end(token, Err(late()));
                state = self.lock();
                continue;
            }
            let next_ns = state.in_flight.values().map(|flight| flight.deadline_ns).min().unwrap_or(u64::MAX);
            let waited = self.changed.wait_timeout(state, until(next_ns));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
