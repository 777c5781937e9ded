//! The words of supervision: where a provider can be, what can happen, and what there is to do.

use std::time::Duration;

use super::{HealthPolicy, RestartPolicy};
use crate::words::Deadline;

/// Which start of a provider a process is. Answers of an earlier one are dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

/// Where a provider is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No process, and none wanted.
    Stopped,
    /// A process was asked for: spawned, greeted, loading, binding its links.
    Starting {
        /// Which start.
        generation: Generation,
        /// When it counts as failed.
        until: Deadline,
        /// What follows if it fails.
        attempt: Attempt,
    },
    /// It takes calls.
    Ready {
        /// Which start.
        generation: Generation,
        /// Since when.
        since: Deadline,
        /// Of a probe: when the hold is over.
        probation: Option<Deadline>,
    },
    /// It takes no new calls and is given time to end.
    Draining {
        /// Which start.
        generation: Generation,
        /// When it is killed.
        until: Deadline,
        /// What comes after.
        then: Then,
    },
    /// It died, and is started again later.
    Backoff {
        /// The start that died.
        generation: Generation,
        /// When.
        until: Deadline,
    },
    /// It is not started again, but perhaps for one try.
    Held {
        /// The last start.
        generation: Generation,
        /// Why.
        why: Hold,
        /// When one start is tried.
        retry: Option<Deadline>,
    },
}

/// Which kind of start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The very first. A provider that fails it is not kept.
    First,
    /// After a death, or because somebody wants it.
    Again,
    /// The one try of a provider that is held.
    Probe,
}

/// What comes after a drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The end.
    Stop,
    /// Nothing, until it is released.
    Hold,
    /// Another process.
    Restart,
}

/// Why a provider is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// An operator, or the embedding program, wants it.
    Operator,
    /// It crashed so often.
    Crashes {
        /// How often.
        count: u32,
        /// Within which time.
        window: Duration,
    },
    /// It was tried again, and died again.
    Probe {
        /// How many tries have failed.
        failed: u32,
    },
    /// It died, and its policy is never to restart it.
    Never,
    /// It ended by itself and well, and its policy is to restart it only after a failure.
    Finished,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with exit code 0.
    Clean,
    /// Any other way.
    Crash,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody wants it to run.
    Start,
    /// It was made, and its links are bound.
    Loaded,
    /// It could not be made: its own doing, or it was too slow.
    Failed,
    /// Its process ended.
    Exited(End),
    /// It broke the protocol, or closed a socket, and its process may still live.
    Broken,
    /// It lives and does not work.
    Hung,
    /// Somebody wants it to end for good.
    Stop,
    /// Somebody wants it to end until it is released.
    Hold,
    /// Somebody wants a held one to run.
    Release,
    /// Somebody wants another process of it.
    Restart,
    /// The time of the state has come.
    Timer,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Start a process of this generation.
    Spawn(Generation),
    /// End the process now.
    Kill,
    /// Send goodbye.
    SendDrain {
        /// When it is killed.
        until: Deadline,
    },
    /// Let calls through.
    Open,
    /// End every call in flight, and refuse new ones.
    FailCalls,
}

/// The rules of a life.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// From spawn to ready.
    pub start_timeout: Duration,
    /// From drain to kill.
    pub drain_timeout: Duration,
    /// Whether and when it is restarted.
    pub restart: RestartPolicy,
    /// How hung ones are found.
    pub health: HealthPolicy,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            start_timeout: Duration::from_secs(15),
            drain_timeout: Duration::from_secs(2),
            restart: RestartPolicy::default(),
            health: HealthPolicy::default(),
        }
    }
}
