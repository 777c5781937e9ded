//! What the handle of a provider wants of its runner: links bound and unbound, and the end.

use super::Runner;
use crate::provider::{BindError, Command};
use crate::supervision::{Event, State, Then};

impl Runner {
    /// Carries one command out, or begins to.
    pub(super) fn command(&mut self, command: Command) {
        let state = self.supervision.state();
        // A process that was told to drain is told of no links any more.
        let draining = matches!(state, State::Draining { .. });
        match command {
            Command::Bind { actor, done, .. } if matches!(state, State::Draining { then: Then::Stop, .. }) => {
                let _ = done.send(Err(BindError::Stopped { provider: self.spec.key.clone(), actor }));
            }
            Command::Bind { actor, settings, done }
                if matches!(state, State::Held { .. } | State::Draining { then: Then::Hold, .. }) =>
            {
                self.bindings.set_for_later(actor, settings, done);
            }
            Command::Bind { actor, settings, done } => {
                if self.bindings.set(actor.clone(), settings, done) && self.process.is_some() && !draining {
                    self.send_bind(&actor);
                    self.open_when_bound();
                }
            }
            Command::Unbind { actor, done } => {
                self.bindings.remove(&actor);
                self.process.iter().for_each(|process| process.asks().review_soon());
                if self.process.is_some() && !draining {
                    let unbind = self.bindings.tell_gone(actor, done);
                    self.send(&unbind);
                } else {
                    let _ = done.send(());
                }
                self.open_when_bound();
            }
            Command::Stop { done } => {
                self.stopped.push(done);
                self.wanted(Event::Stop);
            }
            Command::Attend { want, done } => self.attend(want, done),
        }
    }

    pub(super) fn send_bind(&mut self, actor: &str) {
        if let (Some(frame), Some(process)) = (self.bindings.tell(actor), &self.process) {
            process.outbox().send_frame(frame);
            process.asks().review_soon();
        }
    }
}
