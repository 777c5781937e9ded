//! How a provider's process is kept alive: what happens in which state, and what to do about it. Pure.
//!
//! ```text
//!            start              loaded            drain
//!  Stopped ---------> Starting --------> Ready ---------> Draining
//!                      ^    |              |                 |
//!                 until|    |failed        |exited           |exited
//!                      |    v              v                 v
//!                      +-- Backoff <-------+              Stopped
//! ```
//! A drain while starting or backing off leads to Stopped at once.
//! [`Supervision::step`] is the whole of it. Whoever runs it spawns, kills and tells time. Holding a provider that
//! crashes too often, and finding hung ones, have their place here.

use std::time::Duration;

use crate::words::Deadline;

/// Which start of a provider a process is. Answers of an earlier one are dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

/// How restarts are spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartPolicy {
    /// The wait before the second restart in a row; the first comes at once.
    pub first_delay: Duration,
    /// The wait doubles up to this.
    pub delay_max: Duration,
    /// A process that was ready for this long is healthy: the count of restarts in a row begins anew.
    pub healthy_after: Duration,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            first_delay: Duration::from_millis(100),
            delay_max: Duration::from_secs(30),
            healthy_after: Duration::from_secs(30),
        }
    }
}

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
    },
    /// It takes calls.
    Ready {
        /// Which start.
        generation: Generation,
        /// Since when.
        since: Deadline,
    },
    /// It takes no new calls and is given time to end.
    Draining {
        /// Which start.
        generation: Generation,
        /// When it is killed.
        until: Deadline,
    },
    /// It died, and is started again later.
    Backoff {
        /// The start that died.
        generation: Generation,
        /// When.
        until: Deadline,
    },
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
    Exited,
    /// It broke the protocol, or closed a socket, and its process may still live.
    Broken,
    /// Somebody wants it to end.
    Drain,
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

/// A supervised provider.
#[derive(Clone, Copy, Debug)]
pub struct Supervision {
    state: State,
    restarts: u64,
    /// Restarts since it was last healthy.
    in_a_row: u32,
}

/// The time-outs of a life.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// From spawn to ready.
    pub start_timeout: Duration,
    /// From drain to kill.
    pub drain_timeout: Duration,
    /// How restarts are spaced.
    pub restart: RestartPolicy,
}

impl Default for Timing {
    fn default() -> Self {
        let (start_timeout, drain_timeout) = (Duration::from_secs(15), Duration::from_secs(2));
        Self { start_timeout, drain_timeout, restart: RestartPolicy::default() }
    }
}

impl Default for Supervision {
    fn default() -> Self {
        Self { state: State::Stopped, restarts: 0, in_a_row: 0 }
    }
}

impl Supervision {
    /// Where it is.
    pub const fn state(&self) -> State {
        self.state
    }

    /// How many times it was started again.
    pub const fn restarts(&self) -> u64 {
        self.restarts
    }

    /// When [`Event::Timer`] is due.
    pub const fn timer(&self) -> Option<Deadline> {
        match self.state {
            State::Starting { until, .. } | State::Draining { until, .. } | State::Backoff { until, .. } => Some(until),
            State::Stopped | State::Ready { .. } => None,
        }
    }

    /// What `event` means now. `jitter` is between 0 and 1 and spreads restarts that fall together.
    pub fn step(&mut self, event: Event, now: Deadline, timing: &Timing, jitter: f64) -> Vec<Effect> {
        let (state, effects) = match (self.state, event) {
            (State::Stopped, Event::Start) => self.spawn(Generation(0), now, timing),
            (State::Starting { generation, .. }, Event::Loaded) => {
                (State::Ready { generation, since: now }, vec![Effect::Open])
            }
            (State::Starting { generation, .. }, Event::Failed | Event::Timer | Event::Broken) => {
                (self.back_off(generation, now, timing, jitter), vec![Effect::Kill, Effect::FailCalls])
            }
            (State::Starting { generation, .. }, Event::Exited) => {
                (self.back_off(generation, now, timing, jitter), vec![Effect::FailCalls])
            }
            (State::Ready { generation, since }, Event::Exited | Event::Broken | Event::Failed) => {
                if now.since(since) >= timing.restart.healthy_after {
                    self.in_a_row = 0;
                }
                let kill = (event != Event::Exited).then_some(Effect::Kill);
                let effects = kill.into_iter().chain([Effect::FailCalls]).collect();
                (self.back_off(generation, now, timing, jitter), effects)
            }
            (State::Ready { generation, .. }, Event::Drain) => {
                let until = now.plus(timing.drain_timeout);
                (State::Draining { generation, until }, vec![Effect::SendDrain { until }])
            }
            (State::Starting { .. }, Event::Drain) => (State::Stopped, vec![Effect::Kill, Effect::FailCalls]),
            (State::Backoff { .. }, Event::Drain) => (State::Stopped, Vec::new()),
            (State::Draining { .. }, Event::Timer | Event::Broken) => {
                (State::Stopped, vec![Effect::Kill, Effect::FailCalls])
            }
            (State::Draining { .. }, Event::Exited) => (State::Stopped, vec![Effect::FailCalls]),
            (State::Backoff { generation, .. }, Event::Timer) => {
                self.restarts += 1;
                self.spawn(generation, now, timing)
            }
            (state, _) => (state, Vec::new()),
        };
        self.state = state;
        effects
    }

    fn spawn(&self, last: Generation, now: Deadline, timing: &Timing) -> (State, Vec<Effect>) {
        let generation = Generation(last.0 + 1);
        let until = now.plus(timing.start_timeout);
        (State::Starting { generation, until }, vec![Effect::Spawn(generation)])
    }

    fn back_off(&mut self, generation: Generation, now: Deadline, timing: &Timing, jitter: f64) -> State {
        let RestartPolicy { first_delay, delay_max, .. } = timing.restart;
        let delay = match self.in_a_row {
            0 => Duration::ZERO,
            again => first_delay.saturating_mul(1 << (again - 1).min(20)).min(delay_max).mul_f64(1.0 + jitter / 4.0),
        };
        self.in_a_row += 1;
        State::Backoff { generation, until: now.plus(delay) }
    }
}

#[cfg(test)]
mod tests;
