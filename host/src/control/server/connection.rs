//! One connection: a line in, a line out, until either side has enough.

use std::sync::Arc;
use std::time::Duration;

use interprocess::local_socket::tokio::Stream;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::seats::{Awaited, Seat};
use super::{Operations, ServerLimits, Who};
use crate::control::line::{self, LineError, LineLimits, LineReader};
use crate::control::protocol::{CallRequest, ErrorReport, Reply, Request, peer_error};
use crate::control::provider::ProviderRequest;
use crate::words::{Blame, CallError, Outcome};

/// What a connection needs of its server.
pub(super) struct Connection<O> {
    pub(super) operations: Arc<O>,
    pub(super) limits: ServerLimits,
    pub(super) close: watch::Receiver<bool>,
    /// One permit for each call that may be on its way.
    pub(super) calls: Arc<Semaphore>,
    /// One for each request that may wait for a provider.
    pub(super) attending: Arc<Semaphore>,
    /// Who asks.
    pub(super) who: Who,
}

/// What follows an answer.
enum Then {
    /// Another request.
    Next,
    /// The end of the server, for which the client waits.
    Wait,
    /// The end of the connection: its framing is lost.
    Close,
}

impl<O: Operations> Connection<O> {
    /// Answers requests until the peer or the server ends it, or somebody else needs the seat.
    pub(super) async fn serve(mut self, mut stream: Stream, seat: Seat) {
        let limits =
            LineLimits { bytes_max: self.limits.line_bytes_max, idle: self.limits.idle, whole: self.limits.transfer };
        let mut lines = LineReader::default();
        loop {
            let line = tokio::select! {
                line = request(&mut lines, &mut stream, limits, &seat) => Some(line),
                () = seat.displaced() => None,
                _ = self.close.wait_for(|close| *close) => return,
            };
            let Some(line) = line.filter(|_| seat.works()) else {
                return self.refuse(stream, displaced()).await;
            };
            let (reply, then) = match line {
                Ok(None) | Err(LineError::Io(_) | LineError::Cut) => return,
                Ok(Some(line)) => tokio::select! {
                    biased;
                    answered = self.answer(&line) => answered,
                    // Nobody waits for the answer any more. Dropping it gives up the call.
                    () = lines.ended(&mut stream) => return,
                },
                Err(error) => (Reply::Error(bad_line(&error)), Then::Close),
            };
            seat.awaits(Awaited::Transfer);
            let line = reply.to_line();
            let written = tokio::select! {
                written = line::write(&mut stream, &line, self.limits.transfer) => written,
                () = seat.displaced() => return,
            };
            if let Err(error) = written {
                tracing::debug!(%error, "an answer on the operator's socket was not taken");
                return;
            }
            match then {
                Then::Next => {}
                Then::Close => return,
                // It fails only when the server is gone, which is what is waited for.
                Then::Wait => {
                    let _ = seat.works();
                    drop(self.close.wait_for(|close| *close).await);
                }
            }
        }
    }

    /// Says why not, and closes.
    pub(super) async fn refuse(&self, mut stream: Stream, why: ErrorReport) {
        // A peer that does not read its refusal misses nothing else.
        let _ = line::write(&mut stream, &Reply::Error(why).to_line(), Duration::from_secs(1)).await;
    }

    async fn answer(&self, line: &[u8]) -> (Reply, Then) {
        let request = Request::from_line(line);
        if let Some((command, subject)) = request.as_ref().ok().and_then(Request::told) {
            self.operations.heard(self.who, command, subject);
        }
        match request {
            Err(error) => (Reply::Error(error), Then::Next),
            Ok(Request::Ps) => (self.ps().await, Then::Next),
            Ok(Request::Call(request)) => (self.call(request).await, Then::Next),
            Ok(Request::Explain(request)) => {
                (self.operations.explain(request).await.map_or_else(Reply::Error, Reply::Explained), Then::Next)
            }
            Ok(Request::Provider(request)) => (self.attend(request).await, Then::Next),
            Ok(Request::Stop) => {
                self.operations.stop().await;
                (Reply::Stopping {}, Then::Wait)
            }
        }
    }

    async fn ps(&self) -> Reply {
        match timeout(self.limits.answer, self.operations.ps()).await {
            Ok(report) => Reply::Ps(report),
            Err(_) => Reply::Error(ErrorReport {
                blame: Blame::Host,
                kind: "deadline_exceeded".to_owned(),
                outcome: Outcome::Unknown,
                message: format!("the host could not say within {:?} what runs", self.limits.answer),
                next: "look at its load and its log".to_owned(),
            }),
        }
    }

    async fn attend(&self, request: ProviderRequest) -> Reply {
        let Ok(_permit) = self.attending.try_acquire() else {
            return Reply::Error(busy("attends to", self.limits.attending_max, "providers for operators"));
        };
        self.operations.attend(request).await.map_or_else(Reply::Error, Reply::Provider)
    }

    async fn call(&self, request: CallRequest) -> Reply {
        let Ok(_permit) = self.calls.try_acquire() else {
            return Reply::Error(busy("carries out", self.limits.calls_max, "calls of operators"));
        };
        let (actor, operation, waited) = (request.actor.clone(), request.operation.clone(), request.timeout());
        let answered = timeout(waited.saturating_add(self.limits.answer), self.operations.call(request)).await;
        let error = match answered {
            Ok(Ok(answer)) => return self.fitting(answer),
            Ok(Err(error)) => error,
            Err(_) => {
                let target = format!("actor {actor}");
                CallError::DeadlineExceeded { target, operation, waited, outcome: Outcome::Unknown }
            }
        };
        Reply::Error(ErrorReport::from(&error))
    }

    /// An answer that the client would not read is an error that it can.
    fn fitting(&self, answer: Vec<u8>) -> Reply {
        let limit = self.limits.line_bytes_max / 4 * 3 - 64;
        if answer.len() <= limit {
            return Reply::Answer(answer);
        }
        let (what, bytes) = ("answer on the operator's socket".to_owned(), answer.len() as u64);
        let (limit, outcome) = (limit as u64, Outcome::Answered);
        Reply::Error(ErrorReport::from(&CallError::PayloadTooLarge { what, bytes, limit, outcome }))
    }
}

/// The next request.
async fn request(
    lines: &mut LineReader,
    stream: &mut Stream,
    limits: LineLimits,
    seat: &Seat,
) -> Result<Option<Vec<u8>>, LineError> {
    seat.awaits(Awaited::Request);
    if !lines.begun(stream, limits.idle).await? {
        return Ok(None);
    }
    seat.awaits(Awaited::Transfer);
    lines.rest(stream, limits).await.map(Some)
}

/// The answer to one connection or one call too many.
pub(super) fn busy(does: &str, max: usize, what: &str) -> ErrorReport {
    let message = format!("the host {does} {max} {what} at once, and there are as many");
    ErrorReport {
        blame: Blame::Operator,
        kind: "busy".to_owned(),
        outcome: Outcome::NotDelivered,
        message,
        next: "try again, or end one of the others".to_owned(),
    }
}

/// The answer to another user.
pub(super) fn not_permitted() -> ErrorReport {
    let message = "the host answers only the user who runs it, and root".to_owned();
    peer_error("not_permitted", message, "ask as that user")
}

/// The last word to a connection whose seat somebody else needs.
fn displaced() -> ErrorReport {
    let message = "the connection is closed: it kept the host waiting, and others wait for its place".to_owned();
    peer_error("displaced", message, "connect again, and send a request at once")
}

fn bad_line(error: &LineError) -> ErrorReport {
    let (kind, next) = match error {
        LineError::TooLong(_) => ("line_too_long", "send less"),
        LineError::Idle(_) => ("idle", "connect again for the next request"),
        _ => ("too_slow", "send a request as a whole"),
    };
    peer_error(kind, format!("the connection is closed: {error}"), next)
}
