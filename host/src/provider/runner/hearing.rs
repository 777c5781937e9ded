//! What the process of a provider says on its control socket. None of it is believed before it is checked against the
//! state and what is awaited.

use cofferdam_channel::protocol::control::ShimMessage;
use cofferdam_claims::printable;

use super::Runner;
use crate::provider::output;
use crate::supervision::{Event, State};

impl Runner {
    /// Takes one message. An error says how it breaks the protocol.
    pub(super) fn said(&mut self, message: ShimMessage) -> Result<(), String> {
        match message {
            // It may have been told of links already, and knows of them only when it is loaded.
            ShimMessage::Bound { .. } | ShimMessage::Unbound { .. } if self.line.is_none() => {
                Err("it answered for a link before it was loaded".to_owned())
            }
            ShimMessage::Loaded { name, concurrency } => self.loaded(&name, concurrency),
            ShimMessage::NotLoaded { reason, .. } => self.not_loaded(reason),
            ShimMessage::Bound { request, rejection } => {
                let denied = self.process.as_ref().and_then(|process| {
                    // What the new values no longer give is taken back, now that the provider has moved.
                    process.asks().review();
                    process.asks().take_denial()
                });
                self.bindings.bound(request, rejection, denied)?;
                self.open_when_bound();
                Ok(())
            }
            ShimMessage::Unbound { request } => {
                if let Some(process) = &self.process {
                    process.asks().review();
                }
                self.bindings.unbound(request)
            }
            ShimMessage::HealthReport { request, complaint } => {
                let complaint = complaint.map(|complaint| output::words(&self.hidden.taken_out_of(&complaint)));
                if let Some(complaint) = &complaint {
                    tracing::warn!(provider = %self.spec.key, %complaint, "the provider says that it is not well");
                }
                let beat = self.heartbeat.answered(request, complaint)?;
                self.follow(beat);
                Ok(())
            }
            ShimMessage::Ask { request, want } => match &self.process {
                Some(process) => process.answer(request, want),
                None => Ok(()),
            },
            ShimMessage::Log { level, line, dropped } => {
                self.log.line(level, &line, dropped);
                Ok(())
            }
            ShimMessage::Explained(_) => Err("it explained what it was not asked to".to_owned()),
            ShimMessage::Drained => {
                self.drained = matches!(self.supervision.state(), State::Draining { .. });
                self.say_goodbye();
                Ok(())
            }
        }
    }

    /// The process ends by itself next. What it says is the cause of that, and how it ends goes into its report.
    fn not_loaded(&mut self, reason: String) -> Result<(), String> {
        self.is_loading("it said that it could not load")?;
        let Some(process) = &mut self.process else { return Ok(()) };
        let denied = process.asks().take_denial();
        let reason = denied.map_or(reason.clone(), |denied| format!("{reason}; {denied}"));
        process.expect_end(reason.clone());
        self.not_loaded = Some(reason);
        Ok(())
    }

    /// Whether it has said neither that it loaded nor that it could not.
    fn is_loading(&self, said: &str) -> Result<(), String> {
        let starting = matches!(self.supervision.state(), State::Starting { .. });
        match (starting, &self.line, &self.not_loaded) {
            (true, None, None) => Ok(()),
            (_, _, Some(_)) => Err(format!("{said}, after it had said that it could not load")),
            _ => Err(format!("{said}, and it was loaded already")),
        }
    }

    fn loaded(&mut self, name: &str, concurrency: u32) -> Result<(), String> {
        self.is_loading("it said that it was loaded")?;
        let Some(process) = &mut self.process else { return Ok(()) };
        self.line = Some(process.loaded(concurrency)?);
        let name = printable(name);
        self.status.send_modify(|status| status.name = name);
        self.open_when_bound();
        Ok(())
    }

    /// Calls go through once every link has its answer: no call finds a provider that doesn't know its actor.
    pub(super) fn open_when_bound(&mut self) {
        let starting = matches!(self.supervision.state(), State::Starting { .. });
        if starting && self.line.is_some() && !self.bindings.any_pending() {
            self.step(Event::Loaded);
        }
    }

    /// Once it has drained and the last answer has come, the process may end.
    pub(super) fn say_goodbye(&mut self) {
        let Some(process) = &self.process else { return };
        if self.drained && process.calls_in_flight() == 0 {
            process.say_goodbye();
            self.drained = false;
        }
    }
}
