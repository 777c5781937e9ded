//! What every tier offers: a client that calls, and a service that is called.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use cofferdam_protocol::call::Fault;
use thiserror::Error;

use crate::{Answer, Cancelled, Deadline};

/// How often a call whose caller may go looks whether it has. Nothing wakes a thread that reads a socket for a flag.
const CANCELLED_LOOK: Duration = Duration::from_millis(20);

/// One call, as the asking side hands it over.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The actor's public key: the caller on `down`, the callee on `up`.
    pub actor: &'a str,
    /// The operation.
    pub operation: &'a str,
    /// The argument.
    pub payload: &'a [u8],
    /// When the caller stops waiting.
    pub deadline: Deadline,
    /// Ends the wait before the deadline: for a call that is part of another, whose caller may go.
    pub cancelled: &'a Cancelled,
}

impl Outgoing<'_> {
    /// Whether there is nothing to wait for any more.
    pub(crate) fn is_over(&self) -> bool {
        self.cancelled.is_set() || self.deadline.expired()
    }

    /// Until when to wait before [`Outgoing::is_over`] is asked again.
    pub(crate) fn next_look(&self) -> Deadline {
        if !self.cancelled.is_possible() {
            return self.deadline;
        }
        self.deadline.min(Deadline::after(CANCELLED_LOOK))
    }

    /// Why it ended without an answer, and whether the peer may have seen it.
    pub(crate) fn given_up(&self, delivered: bool) -> CallFailure {
        if self.cancelled.is_set() { CallFailure::Cancelled } else { CallFailure::Late { delivered } }
    }
}

/// One call, as the answering side gets it.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// Its number on this connection.
    pub call: u64,
    /// The actor's public key, by the peer's word.
    pub actor: &'a str,
    /// The operation.
    pub operation: &'a str,
    /// The argument.
    pub payload: &'a [u8],
    /// When the caller stops waiting, by the peer's word: clamp it.
    pub deadline: Deadline,
    /// Set when the caller has gone.
    pub cancelled: &'a Cancelled,
}

impl Incoming<'_> {
    /// Whether an answer would be dropped.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.is_set()
    }
}

/// The asking end of one direction.
pub trait Client: Send + Sync {
    /// Calls on the caller's own thread and waits for the answer until the deadline. The answer, or the words of a
    /// [`CallFailure::Answered`], take the place of what is in `answer`, whose memory is reused.
    fn call(&self, call: &Outgoing<'_>, answer: &mut Vec<u8>) -> Result<(), CallFailure>;

    /// Ends every call in flight with [`CallFailure::Closed`], and every later one. Only the first cause counts.
    fn close(&self, cause: &str);

    /// The peer has broken the rules: nothing that it may have written says from here on that a call was not delivered.
    fn distrust(&self) {}

    /// How many calls are in flight or wait for their turn.
    fn in_flight(&self) -> usize;

    /// How many calls the peer may be running whose deadline lies before `moment`, with how many it takes at once. For
    /// whoever supervises the peer; it may hold up calls for a moment, so ask rarely.
    fn overdue(&self, moment: Deadline) -> (usize, usize);

    /// Whether the peer takes no calls: some wait for it, it runs none but what is overdue at `moment`, and it has answered none
    /// since this was asked the last time. Where calls are written to a socket they count as taken, and become overdue.
    fn is_ignored(&self, _moment: Deadline) -> bool {
        false
    }

    /// Gives back the memory that no call has used since the last time this was asked. For whoever looks at the peer now and
    /// then anyway.
    fn give_back(&self) {}
}

/// The asking end for event loops as well as for threads.
pub trait LoopClient: Send + Sync {
    /// For threads, which may block.
    fn blocking(&self) -> &dyn Client;

    /// For one event loop.
    fn completions(&self) -> io::Result<Box<dyn Completions>>;
}

/// The calls of one event loop: they are begun without waiting, and their ends put in order. Dropping it gives them up.
pub trait Completions: Send + Sync {
    /// Begins a call and returns at once. Unless it fails here, exactly one [`Completed`] with `token` comes, by the
    /// deadline. A token is not used again while its call is in flight.
    fn start(&self, token: u64, call: &Outgoing<'_>) -> Result<(), CallFailure>;

    /// Gives a call up; its completion comes at once. An unknown token is no error.
    fn cancel(&self, token: u64);

    /// Takes the next completion. After a None the descriptor tells of the next one.
    fn take_next(&self) -> Option<Completed>;

    /// Readable while a completion waits that came after the last None. Poll it, don't read it.
    fn fd(&self) -> BorrowedFd<'_>;
}

/// The end of one call.
#[derive(Debug)]
pub struct Completed {
    /// What it was begun with.
    pub token: u64,
    /// How it ended.
    pub result: Result<(), CallFailure>,
    /// The answer, or the words of a [`CallFailure::Answered`].
    pub bytes: Vec<u8>,
}

/// The answering end of one direction. Called on threads that may block, several at once.
pub trait Service: Send + Sync + 'static {
    /// Writes the answer, or the words of a failure, to `answer`, which is empty.
    fn serve(&self, call: &Incoming<'_>, answer: &mut Answer<'_>) -> Result<(), Fault>;
}

/// Why a call over the channel has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallFailure {
    /// The callee answered with a failure; its words are in the answer's place.
    #[error("the callee answered with a failure ({0:?})")]
    Answered(Fault),
    /// The deadline passed.
    #[error("the deadline passed")]
    Late {
        /// Whether the peer may have seen the call.
        delivered: bool,
    },
    /// As many calls as the peer takes are in flight, and as many as may wait do.
    #[error("{limit} calls are in flight, and as many as may wait do")]
    Overloaded {
        /// How many the peer takes at once.
        limit: usize,
    },
    /// The argument exceeds the payload limit; nothing was sent.
    #[error("the argument has {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The call itself breaks a rule of the protocol, such as the length of a name; nothing was sent.
    #[error("{why}")]
    Unsendable {
        /// Which rule.
        why: String,
    },
    /// The connection is gone.
    #[error("{cause}")]
    Closed {
        /// Whether the peer may have seen the call.
        delivered: bool,
        /// What ended the connection, for people.
        cause: Arc<str>,
    },
    /// This side gave the call up. The peer may have seen it.
    #[error("the caller gave the call up")]
    Cancelled,
}
