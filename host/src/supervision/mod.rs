//! How a provider's process is kept alive: what happens in which state, and what to do about it. Pure.
//!
//! ```text
//!               start                        loaded            stop, hold, restart
//!  Stopped -------------------> Starting ---------------> Ready -----------------> Draining
//!     ^                          ^ ^  |                     |                         |
//!     |              one start is| |  | died           died |                         | ended, or killed
//!     |              tried, or it| |  |                     |                         v
//!     |               is released| |  +----------+----------+              Stopped, Held or Starting,
//!     |                          | |             |                              as was wanted
//!     |                          | |  budget     v     budget left
//!     |   stop                   | |  used up    |
//!     +------------- Held -------+ |     +-------+-------+
//!                     ^            |     |               v
//!                     +------------------+            Backoff
//!                                  |     a little later  |
//!                                  +---------------------+
//! ```
//! *Died*: exited, broke the protocol, hung, or did not become ready in time. In every state `stop` leads to Stopped and
//! `hold` to Held, by way of Draining if calls may be in flight. A provider whose very first start fails is not kept: it
//! is Stopped.
//!
//! Held for its crashes, a provider is half open after a while, as a circuit breaker is: one start is tried, the
//! *probe*. It takes calls, for nothing else shows whether it is well. Once it was ready for long enough
//! ([`RestartPolicy::healthy_after`]) the hold is over; if it dies before, it is held again, for twice as long. A provider
//! that an operator holds, or that is not to be restarted, stays held until it is released.
//!
//! `states.rs` has the words. [`Supervision::step`] is the whole of it, and its whole table is a golden test. Whoever
//! runs it spawns, kills and tells time. [`Heartbeat`] is the other half: how a process that neither dies nor works is
//! found.

mod heartbeat;
mod record;
mod states;

use std::time::Duration;

pub use heartbeat::{Beat, Burden, HealthPolicy, Heartbeat, Sick};
pub use states::{Attempt, Effect, End, Event, Generation, Hold, State, Then, Timing};

use crate::words::Deadline;
pub use crate::words::{Restart, RestartBudget, RestartPolicy, WhileDown};
use record::{Record, Verdict};

/// A supervised provider.
#[derive(Clone, Debug)]
pub struct Supervision {
    state: State,
    restarts: u64,
    record: Record,
}

impl Default for Supervision {
    fn default() -> Self {
        Self { state: State::Stopped, restarts: 0, record: Record::default() }
    }
}

impl Supervision {
    /// Where it is.
    pub const fn state(&self) -> State {
        self.state
    }

    /// How many times it was started again by itself.
    pub const fn restarts(&self) -> u64 {
        self.restarts
    }

    /// When [`Event::Timer`] is due.
    pub const fn timer(&self) -> Option<Deadline> {
        match self.state {
            State::Starting { until, .. } | State::Draining { until, .. } | State::Backoff { until, .. } => Some(until),
            State::Ready { probation, .. } => probation,
            State::Held { retry, .. } => retry,
            State::Stopped => None,
        }
    }

    /// What `event` means now. `jitter` is between 0 and 1 and spreads restarts that fall together.
    pub fn step(&mut self, event: Event, now: Deadline, timing: &Timing, jitter: f64) -> Vec<Effect> {
        let moment = Moment { now, timing, jitter };
        let (state, effects) = match self.state {
            State::Stopped => match event {
                Event::Start => spawn(Generation(0), Attempt::First, moment),
                _ => (self.state, Vec::new()),
            },
            State::Starting { generation, attempt, .. } => self.starting(generation, attempt, event, moment),
            State::Ready { generation, since, probation } => self.ready(generation, (since, probation), event, moment),
            State::Draining { generation, until, then } => self.draining(generation, (until, then), event, moment),
            State::Backoff { .. } | State::Held { .. } => self.without_process(event, moment),
        };
        self.state = state;
        effects
    }

    fn starting(&mut self, generation: Generation, attempt: Attempt, event: Event, moment: Moment<'_>) -> Next {
        let is_probe = attempt == Attempt::Probe;
        match (event, attempt) {
            (Event::Loaded, _) => {
                let probation = is_probe.then(|| moment.after(moment.timing.restart.healthy_after));
                (State::Ready { generation, since: moment.now, probation }, vec![Effect::Open])
            }
            (Event::Failed | Event::Timer | Event::Broken | Event::Exited(_), Attempt::First) | (Event::Stop, _) => {
                (State::Stopped, end(event))
            }
            (Event::Failed | Event::Timer | Event::Broken | Event::Exited(_), _) => {
                (self.died(generation, attempt, event, moment), end(event))
            }
            (Event::Hold, Attempt::Again | Attempt::Probe) => (held(generation), end(event)),
            _ => (self.state, Vec::new()),
        }
    }

    fn ready(
        &mut self,
        generation: Generation,
        (since, probation): (Deadline, Option<Deadline>),
        event: Event,
        moment: Moment<'_>,
    ) -> Next {
        let drain = |then| {
            let until = moment.after(moment.timing.drain_timeout);
            (State::Draining { generation, until, then }, vec![Effect::SendDrain { until }])
        };
        match event {
            Event::Exited(_) | Event::Broken | Event::Failed | Event::Hung => {
                if moment.now.since(since) >= moment.timing.restart.healthy_after {
                    self.record.was_healthy();
                }
                let is_probe = probation.is_some_and(|over| over > moment.now);
                if probation.is_some() && !is_probe {
                    self.record = Record::default();
                }
                let attempt = if is_probe { Attempt::Probe } else { Attempt::Again };
                (self.died(generation, attempt, event, moment), end(event))
            }
            Event::Stop => drain(Then::Stop),
            Event::Hold => drain(Then::Hold),
            Event::Restart => drain(Then::Restart),
            Event::Timer if probation.is_some_and(|over| over <= moment.now) => {
                self.record = Record::default();
                (State::Ready { generation, since, probation: None }, Vec::new())
            }
            Event::Start | Event::Loaded | Event::Release | Event::Timer => (self.state, Vec::new()),
        }
    }

    fn draining(
        &mut self,
        generation: Generation,
        (until, then): (Deadline, Then),
        event: Event,
        moment: Moment<'_>,
    ) -> Next {
        let instead = |then| (State::Draining { generation, until, then }, Vec::new());
        match event {
            Event::Exited(_) | Event::Timer | Event::Broken => {
                let mut effects = end(event);
                let (state, more) = match then {
                    Then::Stop => (State::Stopped, Vec::new()),
                    Then::Hold => (held(generation), Vec::new()),
                    Then::Restart => self.spawn_anew(generation, moment),
                };
                effects.extend(more);
                (state, effects)
            }
            // What was said last counts, but that nothing follows a stop.
            Event::Stop => instead(Then::Stop),
            Event::Hold if then != Then::Stop => instead(Then::Hold),
            Event::Restart if then != Then::Stop => instead(Then::Restart),
            Event::Release if then == Then::Hold => instead(Then::Restart),
            _ => (self.state, Vec::new()),
        }
    }

    /// Backing off, or held.
    fn without_process(&mut self, event: Event, moment: Moment<'_>) -> Next {
        let (generation, attempt) = match self.state {
            State::Backoff { generation, .. } => (generation, Some(Attempt::Again)),
            State::Held { generation, retry, .. } => (generation, retry.map(|_| Attempt::Probe)),
            _ => return (self.state, Vec::new()),
        };
        match (event, attempt) {
            (Event::Timer, Some(attempt)) => {
                self.restarts += 1;
                spawn(generation, attempt, moment)
            }
            (Event::Stop, _) => (State::Stopped, Vec::new()),
            (Event::Hold, _) => (held(generation), Vec::new()),
            (Event::Restart, _) => self.spawn_anew(generation, moment),
            (Event::Release, _) if matches!(self.state, State::Held { .. }) => self.spawn_anew(generation, moment),
            _ => (self.state, Vec::new()),
        }
    }

    /// Somebody takes it upon themselves: what was before counts no more.
    fn spawn_anew(&mut self, last: Generation, moment: Moment<'_>) -> Next {
        self.record = Record::default();
        spawn(last, Attempt::Again, moment)
    }

    fn died(&mut self, generation: Generation, attempt: Attempt, event: Event, moment: Moment<'_>) -> State {
        let Moment { now, timing: Timing { restart, .. }, jitter } = moment;
        let end = if let Event::Exited(end) = event { end } else { End::Crash };
        match self.record.died((attempt, end), now, restart, jitter) {
            Verdict::Restart { delay } => State::Backoff { generation, until: now.plus(delay) },
            Verdict::Hold { why, cool_down } => {
                State::Held { generation, why, retry: cool_down.map(|cool_down| now.plus(cool_down)) }
            }
        }
    }
}

/// A state, and what leads there.
type Next = (State, Vec<Effect>);

/// What a step looks at besides state and event.
#[derive(Clone, Copy)]
struct Moment<'a> {
    now: Deadline,
    timing: &'a Timing,
    jitter: f64,
}

impl Moment<'_> {
    fn after(self, time: Duration) -> Deadline {
        self.now.plus(time)
    }
}

fn spawn(last: Generation, attempt: Attempt, moment: Moment<'_>) -> Next {
    let generation = Generation(last.0 + 1);
    let until = moment.after(moment.timing.start_timeout);
    (State::Starting { generation, until, attempt }, vec![Effect::Spawn(generation)])
}

const fn held(generation: Generation) -> State {
    State::Held { generation, why: Hold::Operator, retry: None }
}

/// The end of a process, which need not be killed when it has ended already.
fn end(event: Event) -> Vec<Effect> {
    match event {
        Event::Exited(_) => vec![Effect::FailCalls],
        _ => vec![Effect::Kill, Effect::FailCalls],
    }
}

#[cfg(test)]
mod tests;
