//! How a process of a provider ends. [`Runner::end`] is the one way to an end, and [`Runner::died`] the one place where
//! everything about a death is known: whoever reports deaths begins there.

use std::fmt;
use std::time::Duration;

use cofferdam_claims::printable;

use super::Runner;
use crate::provider::exit::Exit;
use crate::provider::gate::LineEnd;
use crate::provider::generation::Process;
use crate::supervision::{Event, Generation, Sick, State};
use crate::words::Deadline;

/// Why a process is of no more use.
#[derive(Clone, Debug)]
pub(super) enum Cause {
    /// It ended.
    Exited(Exit),
    /// It could not be started, greeted, confined or loaded.
    NotStarted {
        /// Why, for people.
        why: String,
        /// How it ended before it was watched, if it did.
        exit: Option<Exit>,
    },
    /// It was not ready in time.
    NotReady {
        /// The time it had.
        within: Duration,
    },
    /// It broke the protocol, or closed a socket.
    Broke(String),
    /// It lived and did not work.
    Hung(Sick),
    /// It was drained, and did not end in time.
    NotDrained {
        /// The time it had.
        within: Duration,
    },
    /// Nobody wanted it any more while it was being started.
    Unwanted,
}

/// A death, with all that is known about it.
#[derive(Debug)]
pub(super) struct Death {
    /// Which start it was.
    pub(super) generation: Generation,
    /// The process, if one was confined and greeted.
    pub(super) pid: Option<u32>,
    /// Why.
    pub(super) cause: Cause,
    /// Where the provider was.
    pub(super) before: State,
    /// Calls in flight, those that waited for their turn among them.
    pub(super) calls_in_flight: usize,
    /// Where the provider is now: what was decided.
    pub(super) after: State,
}

impl Death {
    /// Somebody wanted the process to end, and it did as it was told, with no call left in it. All others are recorded and
    /// reported.
    pub(super) const fn was_asked_for(&self) -> bool {
        match (&self.cause, self.before) {
            (Cause::Unwanted, _) => true,
            (Cause::Exited(Exit::Code(0)), State::Draining { .. }) => self.calls_in_flight == 0,
            _ => false,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(exit) => write!(f, "{exit}"),
            Self::NotStarted { why, .. } | Self::Broke(why) => f.write_str(why),
            Self::NotReady { within } => write!(f, "it was not ready within {within:?}"),
            Self::Hung(sick) => write!(f, "it hung: {sick}"),
            Self::NotDrained { within } => write!(f, "it did not end within {within:?} of draining"),
            Self::Unwanted => f.write_str("it was stopped while it was being started"),
        }
    }
}

impl Runner {
    /// The process is of no more use: performs what follows from it.
    pub(super) fn end(&mut self, event: Event, cause: Cause) {
        let before = self.supervision.state();
        let pid = self.process.as_ref().map(Process::pid);
        let calls_in_flight = self.process.as_ref().map_or(0, Process::calls_in_flight);
        let left = self.left_behind();
        self.line_end = line_end(&cause);
        self.cause = Some(cause.clone());
        self.step(event);
        let after = self.supervision.state();
        if let Some(generation) = generation_of(before) {
            let death = Death { generation, pid, cause, before, calls_in_flight, after };
            self.died(&death);
            if !death.was_asked_for() {
                self.record_death(&death);
                self.report(&death, left);
            }
        }
        self.record_hold(before);
    }

    /// A process has died, its calls have failed, and what comes next was decided.
    fn died(&self, death: &Death) {
        let Death { generation, pid, cause, before, calls_in_flight, after } = death;
        let (cause, next) = (self.in_words(cause), decided(*after));
        let (provider, generation) = (&self.spec.key, generation.0);
        if matches!(before, State::Draining { .. }) {
            tracing::info!(%provider, generation, pid, %cause, next, "provider ended");
        } else {
            tracing::warn!(
                %provider, generation, pid, %cause, calls_in_flight, next,
                "provider ended, its calls in flight fail"
            );
        }
    }

    /// Why the last process ended, for people; empty while none has.
    pub(super) fn cause_in_words(&self) -> String {
        self.cause.as_ref().map(|cause| self.in_words(cause)).unwrap_or_default()
    }

    /// A cause, for people: what a provider says of it is its own word.
    pub(super) fn in_words(&self, cause: &Cause) -> String {
        printable(&self.hidden.taken_out_of(&cause.to_string()))
    }
}

/// What calls in flight are told of the end.
const fn line_end(cause: &Cause) -> LineEnd {
    match cause {
        Cause::NotDrained { .. } | Cause::Unwanted => LineEnd::Stopped,
        Cause::Hung(_) => LineEnd::Hung,
        Cause::Broke(_) => LineEnd::Broke,
        Cause::Exited(_) | Cause::NotStarted { .. } | Cause::NotReady { .. } => LineEnd::Crashed,
    }
}

const fn generation_of(state: State) -> Option<Generation> {
    match state {
        State::Stopped | State::Backoff { .. } | State::Held { .. } => None,
        State::Starting { generation, .. } | State::Ready { generation, .. } | State::Draining { generation, .. } => {
            Some(generation)
        }
    }
}

/// What comes next, for people.
pub(super) fn decided(after: State) -> String {
    let after_now = |until: Deadline| format!("{:?}", Duration::from_millis(until.remaining().as_millis() as u64));
    match after {
        State::Backoff { until, .. } if until.expired() => "it is restarted now".to_owned(),
        State::Backoff { until, .. } => format!("it is restarted in {}", after_now(until)),
        State::Held { retry: Some(retry), .. } => format!("it is held, and tried again in {}", after_now(retry)),
        State::Held { retry: None, .. } => "it is held until it is released".to_owned(),
        State::Starting { .. } | State::Ready { .. } | State::Draining { .. } => "it is restarted now".to_owned(),
        State::Stopped => "nothing".to_owned(),
    }
}
