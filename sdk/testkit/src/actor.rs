//! The actors of a test: a closure that is given each call and answers it, on a thread of its own, so it may block.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use cofferdam_provider::__abi::Status;
use nix::time::{ClockId, clock_gettime};

use crate::Refused;

/// What a script answers with.
pub type Answer = Result<Vec<u8>, Refused>;

/// The script: called on several threads at once.
pub(crate) type Script = Arc<dyn Fn(&ActorCall) -> Answer + Send + Sync>;

/// One call of the provider to an actor.
#[derive(Clone, Debug)]
pub struct ActorCall {
    /// Whom the provider called.
    pub actor: String,
    /// The operation.
    pub operation: String,
    /// The argument.
    pub payload: Vec<u8>,
    /// As the provider gave it: `CLOCK_MONOTONIC`, in ns.
    pub deadline_ns: u64,
    pub(crate) given_up: Arc<AtomicBool>,
}

impl ActorCall {
    /// Whether the provider has given the call up, or its deadline has passed.
    pub fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Acquire)
    }
}

/// The script of a test whose provider calls no actor.
pub fn no_actors(call: &ActorCall) -> Answer {
    Err(Refused::new(Status::DENIED, format!("{} is not linked", call.actor)))
}

/// Runs the script and hands its answer to `done`, on a thread of its own. A script that panics has failed.
pub(crate) fn play(script: &Script, call: ActorCall, done: impl FnOnce(Answer) + Send + 'static) {
    let script = Arc::clone(script);
    let run = move || {
        let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| script(&call)));
        done(answer.unwrap_or_else(|_| Err(Refused::new(Status::FAILED, "the script panicked"))));
    };
    std::thread::Builder::new().name("actor".into()).spawn(run).expect("a thread for an actor");
}

/// The blocking form: the answer, or LATE at the deadline.
pub(crate) fn play_and_wait(script: &Script, call: ActorCall) -> Answer {
    let (sender, receiver) = mpsc::channel();
    let timeout = until(call.deadline_ns);
    let given_up = Arc::clone(&call.given_up);
    // The receiver may have given up.
    play(script, call, move |answer| drop(sender.send(answer)));
    receiver.recv_timeout(timeout).unwrap_or_else(|_| {
        given_up.store(true, Ordering::Release);
        Err(late())
    })
}

pub(crate) fn late() -> Refused {
    Refused::new(Status::LATE, "the actor did not answer by the deadline")
}

/// How long until a moment of `CLOCK_MONOTONIC`.
pub(crate) fn until(deadline_ns: u64) -> Duration {
    Duration::from_nanos(deadline_ns.saturating_sub(now_ns()))
}

pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("CLOCK_MONOTONIC exists on every Linux");
    now.tv_sec().unsigned_abs() * 1_000_000_000 + now.tv_nsec().unsigned_abs()
}
