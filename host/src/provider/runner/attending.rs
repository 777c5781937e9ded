//! What an operator does to a provider that is kept: restart, hold, release. Each is answered when it is done, and a
//! failure says why.

use super::{Runner, gone};
use crate::provider::bindings::Done;
use crate::provider::{AttendError, Want};
use crate::supervision::{Event, Generation, Hold, State};

use super::deaths::Cause;

/// How many operators may wait for one provider; more are the oldest's loss.
const ATTENDING_MAX: usize = 64;

/// Somebody who waits until it is done.
pub(super) struct Attending {
    want: Want,
    /// The first start that counts as what was wanted.
    least: Generation,
    done: Done<Result<(), AttendError>>,
}

impl Runner {
    pub(super) fn attend(&mut self, want: Want, done: Done<Result<(), AttendError>>) {
        if self.attending.len() >= ATTENDING_MAX {
            let _ = done.send(Err(AttendError::Overloaded { provider: self.spec.key.clone() }));
            return;
        }
        let event = match want {
            Want::Restart => Event::Restart,
            Want::Hold => Event::Hold,
            Want::Release => Event::Release,
        };
        tracing::info!(provider = %self.spec.key, ?want, "an operator attends to the provider");
        self.wanted(event);
        let least = match self.supervision.state() {
            State::Stopped => Generation::default(),
            State::Starting { generation, .. } | State::Ready { generation, .. } | State::Held { generation, .. } => {
                generation
            }
            State::Draining { generation, .. } | State::Backoff { generation, .. } => Generation(generation.0 + 1),
        };
        self.attending.push(Attending { want, least, done });
    }

    /// Somebody wants the provider to be otherwise. A process that is being started is not drained: no call is in it.
    pub(super) fn wanted(&mut self, event: Event) {
        let starting = matches!(self.supervision.state(), State::Starting { .. });
        if starting && matches!(event, Event::Stop | Event::Hold) {
            return self.end(event, Cause::Unwanted);
        }
        let before = self.supervision.state();
        self.step(event);
        self.record_hold(before);
    }

    /// Answers those whose wish is done, or can't be.
    pub(super) fn settle(&mut self) {
        self.bindings.answer();
        for attending in std::mem::take(&mut self.attending) {
            match self.outcome(&attending) {
                None => self.attending.push(attending),
                Some(Ok(())) if attending.want == Want::Hold => {
                    let alive = self.alive.clone();
                    // Held is held when the process has ended.
                    tokio::spawn(async move {
                        gone(alive).await;
                        let _ = attending.done.send(Ok(()));
                    });
                }
                Some(outcome) => drop(attending.done.send(outcome)),
            }
        }
    }

    fn outcome(&self, Attending { want, least, .. }: &Attending) -> Option<Result<(), AttendError>> {
        let provider = || self.spec.key.clone();
        match (want, self.supervision.state()) {
            (_, State::Stopped) => Some(Err(AttendError::Stopped { provider: provider() })),
            (Want::Hold, State::Held { .. }) => Some(Ok(())),
            (Want::Hold, State::Starting { generation, .. } | State::Ready { generation, .. })
                if generation >= *least =>
            {
                Some(Err(AttendError::Released { provider: provider() }))
            }
            (Want::Restart | Want::Release, State::Ready { generation, .. }) if generation >= *least => Some(Ok(())),
            (Want::Restart | Want::Release, State::Held { why: Hold::Operator, .. }) => {
                Some(Err(AttendError::Held { provider: provider() }))
            }
            (Want::Restart | Want::Release, State::Backoff { generation, .. } | State::Held { generation, .. })
                if generation >= *least =>
            {
                Some(Err(AttendError::NotReady { provider: provider(), reason: self.cause_in_words() }))
            }
            _ => None,
        }
    }
}
