//! What calls and operators see of a provider: the passage at its gate, and its status.

use super::{Runner, STOPPED};
use crate::provider::Status;
use crate::provider::gate::Passage;
use crate::provider::generation::Process;
use crate::supervision::{Attempt, Generation, Hold, State, Then};
use crate::words::Blame;
use cofferdam_channel::protocol::Confinement;

impl Runner {
    /// What calls find from now on.
    pub(super) fn passage(&self) -> Passage {
        match (self.supervision.state(), &self.line) {
            (State::Ready { .. }, Some(line)) => Passage::Open(line.clone()),
            (State::Stopped, _) => Passage::Closed(STOPPED),
            (State::Starting { attempt: Attempt::First, .. }, _) => Passage::Closed("it has not been started"),
            (State::Starting { .. } | State::Backoff { .. } | State::Ready { .. }, _) => {
                Passage::Down(format!("it is being restarted: {}", self.cause_in_words()))
            }
            (State::Draining { then: Then::Restart, .. }, _) => Passage::Down("it is being restarted".to_owned()),
            (State::Draining { .. }, _) => Passage::Draining,
            (State::Held { why, .. }, _) => Passage::Held { why: self.held_in_words(why), blame: blame(why) },
        }
    }

    /// Tells operators, if there is news.
    pub(super) fn publish(&self) {
        let state = self.supervision.state();
        let (word, generation) = in_words(state);
        self.status.send_if_modified(|status| {
            let next = Status {
                state: word,
                why: self.why(state),
                next_try: matches!(state, State::Backoff { .. } | State::Held { .. })
                    .then(|| self.supervision.timer())
                    .flatten(),
                generation: generation.unwrap_or(status.generation),
                pid: self.process.as_ref().map(Process::pid),
                started_in: self.process.as_ref().and_then(Process::started_in),
                unconfined: self.process.as_ref().map_or(Confinement::NONE, Process::missing),
                restarts: self.supervision.restarts(),
                last_exit: self.cause.is_some().then(|| self.cause_in_words()),
                name: status.name.clone(),
                bindings: self.bindings.report(),
            };
            let changed = *status != next;
            *status = next;
            changed
        });
    }

    fn why(&self, state: State) -> Option<String> {
        match state {
            State::Held { why, .. } => Some(self.held_in_words(why)),
            State::Backoff { .. } => Some(self.cause_in_words()),
            State::Ready { probation: Some(_), .. } | State::Starting { attempt: Attempt::Probe, .. } => {
                Some("it was held, and is being tried".to_owned())
            }
            State::Stopped | State::Starting { .. } | State::Ready { .. } | State::Draining { .. } => None,
        }
    }

    pub(super) fn held_in_words(&self, why: Hold) -> String {
        let cause = self.cause_in_words();
        match why {
            Hold::Operator => "an operator holds it".to_owned(),
            Hold::Crashes { count, window } => {
                format!("it died {count} times within {window:?}, the last time: {cause}")
            }
            Hold::Probe { failed } => format!("it was tried again {failed} times and died again: {cause}"),
            Hold::Never => format!("it died, and its policy is never to restart it: {cause}"),
            Hold::Finished => "it ended by itself, and its policy is to restart it after failures only".to_owned(),
        }
    }
}

/// Whose fault a hold is.
const fn blame(why: Hold) -> Blame {
    match why {
        Hold::Operator => Blame::Operator,
        Hold::Crashes { .. } | Hold::Probe { .. } | Hold::Never | Hold::Finished => Blame::Provider,
    }
}

const fn in_words(state: State) -> (&'static str, Option<Generation>) {
    match state {
        State::Stopped => ("stopped", None),
        State::Starting { generation, .. } => ("starting", Some(generation)),
        State::Ready { generation, .. } => ("ready", Some(generation)),
        State::Draining { generation, .. } => ("draining", Some(generation)),
        State::Backoff { generation, .. } => ("backoff", Some(generation)),
        State::Held { generation, .. } => ("held", Some(generation)),
    }
}
