//! From a death to its report: what has to be taken from a process before its calls fail and it is forgotten.

use std::future::Future;
use std::pin::Pin;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::Runner;
use super::deaths::{Cause, Death, decided};
use crate::crash::Call;
use crate::provider::generation::Process;
use crate::provider::hidden::Hidden;
use crate::provider::obituary::{Obituary, Remains};
use crate::words::Deadline;

/// What a process leaves.
pub(super) struct LeftBehind {
    remains: Option<Remains>,
    /// What the process knew, and is not to be read in its report.
    hidden: Hidden,
    in_flight: Vec<Call>,
    before: Vec<Call>,
}

/// Reports that are being written. A runner carries them itself: one it has begun is written as surely as it supervises, and
/// before it says that it has ended.
#[derive(Default)]
pub(super) struct Writing(FuturesUnordered<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Writing {
    fn begin(&self, report: impl Future<Output = ()> + Send + 'static) {
        self.0.push(Box::pin(report));
    }

    /// Goes on with them; ends when the next is written.
    pub(super) async fn next(&mut self) {
        if self.0.next().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Writes those that were begun.
    pub(super) async fn finish(&mut self) {
        while self.0.next().await.is_some() {}
    }
}

impl Runner {
    /// Takes it, while there is a process.
    pub(super) fn left_behind(&mut self) -> LeftBehind {
        let remains = self.process.as_mut().map(Process::remains);
        let now = Deadline::now();
        let (in_flight, before) = match &remains {
            Some(remains) => self.gate.calls.tell(remains.born, now),
            None => Default::default(),
        };
        LeftBehind { remains, hidden: self.hidden.as_it_is(), in_flight, before }
    }

    /// Reports the death of a process.
    pub(super) fn report(&self, death: &Death, left: LeftBehind) {
        let LeftBehind { remains, hidden, in_flight, before } = left;
        let obituary = Obituary {
            spec: self.spec.clone(),
            hidden,
            tail: self.tail.clone(),
            name: self.status.borrow().name.clone(),
            generation: death.generation.0,
            cause: death.cause.to_string(),
            decision: decided(death.after),
            in_flight,
            before,
            exit: match death.cause {
                Cause::NotStarted { exit, .. } => exit,
                _ => None,
            },
            remains,
        };
        self.writing.begin(obituary.publish(self.surroundings.clone()));
    }
}
