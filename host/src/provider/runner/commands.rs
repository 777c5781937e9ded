//! What the handle of a provider wants of its runner: links bound and unbound, and the end.

use super::{Runner, STOPPED};
use crate::provider::gate::Passage;
use crate::provider::{BindError, Command};
use crate::supervision::{Event, State};

impl Runner {
    /// Carries one command out, or begins to.
    pub(super) fn command(&mut self, command: Command) {
        // Nothing is bound or unbound once the provider was told to drain.
        let draining = matches!(self.supervision.state(), State::Draining { .. });
        match command {
            Command::Bind { actor, done, .. } if draining => {
                let _ = done.send(Err(BindError::Stopped { provider: self.spec.key.clone(), actor }));
            }
            Command::Bind { actor, settings, done } => {
                if self.bindings.set(actor.clone(), settings, done) && self.client.is_some() {
                    self.send_bind(&actor);
                    self.open_when_bound();
                }
            }
            Command::Unbind { actor, done } => {
                self.bindings.remove(&actor);
                if self.client.is_some() && !draining {
                    let unbind = self.bindings.tell_gone(actor, done);
                    self.send(&unbind);
                } else {
                    let _ = done.send(());
                }
                self.open_when_bound();
            }
            Command::Stop { done } => {
                self.stopped.push(done);
                self.step(Event::Drain);
                if matches!(self.supervision.state(), State::Stopped) {
                    self.gate.set(Passage::Closed(STOPPED));
                }
            }
        }
    }

    pub(super) fn send_bind(&mut self, actor: &str) {
        if let (Some(frame), Some(process)) = (self.bindings.tell(actor), &self.process) {
            process.outbox().send_frame(frame);
        }
    }
}
