//! What answers calls to a provider, across all of its processes: lets them through while one is ready, and says why not
//! while none is. The caller's own thread does the call.
//!
//! *A call never runs twice.* What may have reached a process is never sent again. A call waits for the next process only
//! by the policy of its provider, and only while it is certain that nothing of it was sent.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use cofferdam_channel::protocol::call::Fault;
use cofferdam_channel::{CallFailure, Client, Outgoing};
use parking_lot::{Condvar, Mutex};

use super::calls::CallLog;
use super::output;
use crate::supervision::{Burden, WhileDown};
use crate::words::{Blame, CallError, Callee, Deadline, Invocation, Outcome, ProviderKey};

/// Calls that wait for the next process at once. Each is a thread of its own.
const WAITING_MAX: usize = 256;

/// How often a call that waits looks whether its caller has gone.
const CALLER_LOOK: Duration = Duration::from_millis(20);

/// What answers calls to a provider.
pub struct ProviderGate {
    key: ProviderKey,
    while_down: WhileDown,
    passage: ArcSwap<Passage>,
    /// The last of them, for the case that a process dies.
    pub(super) calls: CallLog,
    /// How many calls wait for the next process.
    waiting: Mutex<usize>,
    changed: Condvar,
}

/// What a call finds at the gate.
#[derive(Debug)]
pub(super) enum Passage {
    /// A process that takes calls.
    Open(Arc<Line>),
    /// It takes no new calls, and nothing follows.
    Draining,
    /// There is none for this reason, and one comes by itself.
    Down(String),
    /// There is none for this reason, and none comes.
    Closed(&'static str),
    /// There is none until it is released, or tried again.
    Held { why: String, blame: Blame },
}

/// The way to one process.
pub(super) struct Line {
    client: Box<dyn Client>,
    ended: OnceLock<LineEnd>,
}

/// Why a process ended while calls were in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// It died.
    Crashed,
    /// It was ended because it hung.
    Hung,
    /// It was ended because it broke the protocol.
    Broke,
    /// It was ended because somebody wanted it.
    Stopped,
}

impl Line {
    pub(super) fn new(client: Box<dyn Client>) -> Arc<Self> {
        Arc::new(Self { client, ended: OnceLock::new() })
    }

    pub(super) fn in_flight(&self) -> usize {
        self.client.in_flight()
    }

    /// What its calls look like: those that have been due since before `moment` are stuck.
    pub(super) fn burden(&self, moment: Deadline) -> Burden {
        let (stuck, at_once) = self.client.overdue(moment);
        Burden { stuck, at_once, ignored: self.client.is_ignored(moment) }
    }

    /// Gives back memory that calls have needed and need no more.
    pub(super) fn give_back(&self) {
        self.client.give_back();
    }

    /// Ends every call in flight, for this reason. Set the gate to something else first: nobody comes this way then.
    pub(super) fn end(&self, end: LineEnd, cause: &str) {
        // The first reason counts.
        let _ = self.ended.set(end);
        if end == LineEnd::Broke {
            self.client.distrust();
        }
        self.client.close(cause);
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl ProviderGate {
    /// `calls` notes what goes through it.
    pub(super) fn new(key: ProviderKey, while_down: WhileDown, calls: CallLog) -> Self {
        let passage = ArcSwap::from_pointee(Passage::Closed("it has not been started"));
        Self { key, while_down, passage, calls, waiting: Mutex::new(0), changed: Condvar::new() }
    }

    pub(super) fn set(&self, passage: Passage) {
        self.passage.store(Arc::new(passage));
        // Whoever has looked and is about to wait holds the lock.
        drop(self.waiting.lock());
        self.changed.notify_all();
    }

    /// Whether a call may go, by another way than `past`. An error when there is nothing to wait for.
    fn may_go(&self, past: Option<&Arc<Line>>) -> Result<bool, CallError> {
        let provider = || self.key.clone();
        match &**self.passage.load() {
            Passage::Open(line) => Ok(past.is_none_or(|past| !Arc::ptr_eq(past, line))),
            Passage::Down(_) if self.while_down == WhileDown::Wait => Ok(false),
            Passage::Down(state) => Err(CallError::ProviderUnavailable { provider: provider(), state: state.clone() }),
            Passage::Closed(state) => {
                Err(CallError::ProviderNotRunning { provider: provider(), state: (*state).to_owned() })
            }
            Passage::Draining => Err(CallError::ProviderDraining { provider: provider() }),
            Passage::Held { why, blame } => {
                Err(CallError::ProviderHeld { provider: provider(), why: why.clone(), blame: *blame })
            }
        }
    }

    /// Waits, with nothing sent, until the call may go. An error when it may not, by its deadline or at all.
    fn await_passage(&self, past: Option<&Arc<Line>>, call: &Invocation<'_>, began: Deadline) -> Result<(), CallError> {
        let mut waiting = self.waiting.lock();
        if self.may_go(past)? {
            return Ok(());
        }
        if *waiting >= WAITING_MAX {
            let state = format!("it is being restarted, and {WAITING_MAX} calls wait for it already");
            return Err(CallError::ProviderUnavailable { provider: self.key.clone(), state });
        }
        *waiting += 1;
        let ended = loop {
            if call.cancelled.is_set() {
                break Err(self.caller_gone(call));
            }
            if call.deadline.expired() {
                break Err(self.late(call, began, Outcome::NotDelivered));
            }
            let time = call.deadline.remaining();
            let time = if call.cancelled.is_possible() { time.min(CALLER_LOOK) } else { time };
            self.changed.wait_for(&mut waiting, time);
            match self.may_go(past) {
                Ok(false) => {}
                Ok(true) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        *waiting -= 1;
        ended
    }

    fn late(&self, call: &Invocation<'_>, began: Deadline, outcome: Outcome) -> CallError {
        CallError::DeadlineExceeded {
            target: self.target(),
            operation: call.operation.to_owned(),
            waited: Deadline::now().since(began),
            outcome,
        }
    }

    fn caller_gone(&self, call: &Invocation<'_>) -> CallError {
        CallError::CallerGone { target: self.target(), operation: call.operation.to_owned() }
    }

    fn target(&self) -> String {
        format!("provider {}", self.key)
    }

    fn explain(
        &self,
        (line, failure): (&Line, CallFailure),
        call: &Invocation<'_>,
        began: Deadline,
        words: &mut Vec<u8>,
    ) -> CallError {
        let (provider, operation) = (self.key.clone(), call.operation.to_owned());
        match failure {
            CallFailure::Answered(fault) => {
                let message = output::words(&String::from_utf8_lossy(words));
                words.clear();
                match fault {
                    Fault::Panicked => CallError::ProviderPanicked { provider, operation, message },
                    Fault::Late => self.late(call, began, Outcome::Unknown),
                    // Whatever it says, it has seen the call.
                    Fault::Unavailable | Fault::Failed | Fault::Denied | Fault::Invalid | Fault::Internal => {
                        CallError::ProviderFailed { provider, operation, message }
                    }
                }
            }
            CallFailure::Late { delivered: true } => self.late(call, began, Outcome::Unknown),
            CallFailure::Late { delivered: false } => self.late(call, began, Outcome::NotDelivered),
            CallFailure::Cancelled => self.caller_gone(call),
            CallFailure::Overloaded { limit } => {
                CallError::Overloaded { target: self.target(), limit: u32::try_from(limit).unwrap_or(u32::MAX) }
            }
            CallFailure::TooLarge { bytes, limit } => CallError::PayloadTooLarge {
                what: format!("argument for {}", self.target()),
                bytes: bytes as u64,
                limit: limit as u64,
                outcome: Outcome::NotDelivered,
            },
            CallFailure::Unsendable { why } => CallError::Unsendable { target: self.target(), why },
            CallFailure::Closed { delivered: false, cause } => {
                // The gate knew before the line was closed; by now it may be open again.
                let state = format!("its process ended before it was told: {cause}");
                let unavailable = CallError::ProviderUnavailable { provider, state };
                self.may_go(None).err().unwrap_or(unavailable)
            }
            CallFailure::Closed { delivered: true, cause } => match line.ended.get() {
                Some(LineEnd::Stopped) => CallError::ProviderStopped { provider, operation },
                Some(LineEnd::Hung) => CallError::ProviderHung { provider, operation, cause: cause.to_string() },
                Some(LineEnd::Broke) => CallError::ProviderBroke { provider, operation, cause: cause.to_string() },
                Some(LineEnd::Crashed) | None => {
                    CallError::ProviderCrashed { provider, operation, cause: cause.to_string() }
                }
            },
        }
    }
}

impl Callee for ProviderGate {
    fn call(&self, invocation: &Invocation<'_>, reply: &mut Vec<u8>) -> Result<(), CallError> {
        let began = Deadline::now();
        let outgoing = Outgoing {
            actor: invocation.origin.public_key(),
            operation: invocation.operation,
            payload: invocation.payload,
            deadline: invocation.deadline,
            cancelled: invocation.cancelled,
        };
        let mut past = None;
        loop {
            let passage = self.passage.load();
            if let Passage::Open(line) = &**passage {
                match line.client.call(&outgoing, reply) {
                    Ok(()) => return Ok(()),
                    // Not a byte of it was sent: it may wait, as if it had come a moment later.
                    Err(CallFailure::Closed { delivered: false, .. }) if self.while_down == WhileDown::Wait => {
                        past = Some(line.clone());
                    }
                    Err(failure) => return Err(self.explain((line, failure), invocation, began, reply)),
                }
            }
            drop(passage);
            self.await_passage(past.as_ref(), invocation, began)?;
        }
    }
}

#[cfg(test)]
mod tests;
