//! The calls of one client: which are in flight, which wait for their turn, and how each is told. Pure bookkeeping;
//! whoever holds the lock on it does no I/O.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use cofferdam_protocol::call::{CallId, Fault};
use parking_lot::{Condvar, Mutex};

use super::completions::Mailbox;
use crate::{CallFailure, Deadline};

/// How many calls may wait for each that may be in flight.
const WAITING_PER_CALL: usize = 16;

/// A call that ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) result: Result<(), CallFailure>,
    /// The answer, or words.
    pub(super) bytes: Vec<u8>,
}

impl Ended {
    pub(super) fn failed(failure: CallFailure) -> Self {
        Self { result: Err(failure), bytes: Vec::new() }
    }

    pub(super) fn answered(fault: Option<Fault>, bytes: Vec<u8>) -> Self {
        Self { result: fault.map_or(Ok(()), |fault| Err(CallFailure::Answered(fault))), bytes }
    }
}

/// Where a caller that blocks waits for news.
#[derive(Debug, Default)]
pub(super) struct Slot {
    news: Mutex<News>,
    changed: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct News {
    /// It is this call's turn to be sent.
    pub(super) admitted: bool,
    /// It waits for news, and would read if it were asked to.
    pub(super) waits: bool,
    /// Nobody reads the socket: this caller should, or pass it on when it leaves.
    pub(super) should_read: bool,
    pub(super) ended: Option<Ended>,
}

impl Slot {
    pub(super) fn tell(&self, change: impl FnOnce(&mut News)) {
        change(&mut self.news.lock());
        self.changed.notify_one();
    }

    pub(super) fn look<R>(&self, look: impl FnOnce(&mut News) -> R) -> R {
        look(&mut self.news.lock())
    }

    /// Asks it to read the socket. False when it does not wait, or has no reason to any more.
    fn offer_reading(&self) -> bool {
        let mut news = self.news.lock();
        let accepts = news.waits && news.ended.is_none();
        if accepts {
            news.should_read = true;
            self.changed.notify_one();
        }
        accepts
    }

    /// Waits for any news, or the deadline.
    pub(super) fn wait(&self, deadline: Deadline, enough: impl Fn(&News) -> bool) {
        let mut news = self.news.lock();
        while !enough(&news) && news.ended.is_none() && !news.should_read {
            if self.changed.wait_for(&mut news, deadline.remaining()).timed_out() {
                return;
            }
        }
    }
}

/// Who is told when a call ends.
pub(super) enum Waiter {
    /// A thread that blocks.
    Thread(Arc<Slot>),
    /// A queue whose descriptor becomes readable.
    Mailbox {
        mailbox: Arc<Mailbox>,
        token: u64,
        deadline: Deadline,
        /// The frame, while the call waits for its turn.
        frame: Option<PendingFrame>,
    },
    /// Nobody any more; the peer still owes the answer, and the call still counts.
    Abandoned,
}

/// A request that waits to be sent by whoever makes room for it.
pub(super) struct PendingFrame {
    pub(super) actor: String,
    pub(super) operation: String,
    pub(super) payload: Vec<u8>,
}

/// A call that the peer may be running.
struct Sent {
    waiter: Waiter,
    /// When its caller stops waiting, or has stopped.
    deadline: Deadline,
}

/// A call that waits for its turn.
struct Queued {
    call: CallId,
    waiter: Waiter,
    deadline: Deadline,
}

/// All calls of one client.
pub(super) struct Flight {
    calls: HashMap<CallId, Sent>,
    /// Calls that wait for their turn, in order; those that gave up are skipped.
    waiting: VecDeque<Queued>,
    in_flight_max: usize,
    pub(super) closed: Option<Arc<str>>,
    next_call: CallId,
}

/// Whether a call may be sent at once.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Now,
    Later,
}

impl Flight {
    pub(super) fn new(in_flight_max: usize) -> Self {
        let waiting = VecDeque::new();
        Self { calls: HashMap::new(), waiting, in_flight_max, closed: None, next_call: 1 }
    }

    /// Takes a call in: at once when there is room and nobody waits, else in the queue, else not at all.
    pub(super) fn admit(&mut self, waiter: Waiter, deadline: Deadline) -> Result<(CallId, Admission), CallFailure> {
        if let Some(cause) = &self.closed {
            return Err(CallFailure::Closed { delivered: false, cause: cause.clone() });
        }
        let call = self.next_call;
        if self.calls.len() < self.in_flight_max && self.waiting.is_empty() {
            self.calls.insert(call, Sent { waiter, deadline });
            self.next_call += 1;
            return Ok((call, Admission::Now));
        }
        if self.waiting.len() >= self.in_flight_max * WAITING_PER_CALL {
            return Err(CallFailure::Overloaded { limit: self.in_flight_max });
        }
        self.waiting.push_back(Queued { call, waiter, deadline });
        self.next_call += 1;
        Ok((call, Admission::Later))
    }

    /// The peer answered: who waits for it. None for a call that is not in flight.
    pub(super) fn answered(&mut self, call: CallId) -> Option<Waiter> {
        self.calls.remove(&call).map(|sent| sent.waiter)
    }

    /// The next that waits for its turn, if there is room; it counts as in flight from now on. Threads are told to send
    /// by themselves; the frame of a mailbox's call is returned, to be sent by whoever asks.
    pub(super) fn admit_next(&mut self) -> Option<(CallId, Deadline, PendingFrame)> {
        while self.calls.len() < self.in_flight_max {
            let Queued { call, mut waiter, deadline } = self.waiting.pop_front()?;
            let frame = match &mut waiter {
                Waiter::Thread(slot) => {
                    slot.tell(|news| news.admitted = true);
                    None
                }
                Waiter::Mailbox { frame, .. } => frame.take(),
                Waiter::Abandoned => continue,
            };
            self.calls.insert(call, Sent { waiter, deadline });
            if let Some(frame) = frame {
                return Some((call, deadline, frame));
            }
        }
        None
    }

    /// The caller has gone. A call that is not sent is forgotten; one that is sent counts until it is answered.
    /// Returns whether the peer should be told.
    pub(super) fn abandon(&mut self, call: CallId, sent: bool) -> bool {
        if let Some(at) = self.waiting.iter().position(|waiting| waiting.call == call) {
            self.waiting.remove(at);
            return false;
        }
        match self.calls.get_mut(&call) {
            Some(running) if sent => {
                running.waiter = Waiter::Abandoned;
                true
            }
            _ => {
                self.calls.remove(&call);
                false
            }
        }
    }

    /// Asks some thread that waits to read the socket from now on.
    pub(super) fn hand_over_reading(&self) {
        let mut threads = self.all().filter_map(|(_, waiter)| match waiter {
            Waiter::Thread(slot) => Some(slot),
            Waiter::Mailbox { .. } | Waiter::Abandoned => None,
        });
        // Nobody accepts when nobody waits; whoever comes to wait finds the reader free.
        let _ = threads.any(|slot| slot.offer_reading());
    }

    /// The frame of a mailbox's call that may be sent now.
    pub(super) fn take_frame(&mut self, call: CallId) -> Option<PendingFrame> {
        match self.calls.get_mut(&call) {
            Some(Sent { waiter: Waiter::Mailbox { frame, .. }, .. }) => frame.take(),
            _ => None,
        }
    }

    /// The call of a mailbox, by its token, with whether it was sent.
    pub(super) fn find(&self, wanted: &Arc<Mailbox>, token_wanted: u64) -> Option<(CallId, bool)> {
        self.all().find_map(|(call, waiter)| match waiter {
            Waiter::Mailbox { mailbox, token, .. } if Arc::ptr_eq(mailbox, wanted) && *token == token_wanted => {
                Some((call, waiter.is_sent()))
            }
            _ => None,
        })
    }

    /// All calls of a mailbox, with whether each was sent.
    pub(super) fn calls_of(&self, wanted: &Arc<Mailbox>) -> Vec<(CallId, bool)> {
        let is_wanted =
            |waiter: &Waiter| matches!(waiter, Waiter::Mailbox { mailbox, .. } if Arc::ptr_eq(mailbox, wanted));
        self.all().filter(|(_, waiter)| is_wanted(waiter)).map(|(call, waiter)| (call, waiter.is_sent())).collect()
    }

    /// When the next call of any mailbox runs out of time.
    pub(super) fn next_deadline(&self) -> Option<Deadline> {
        self.all().filter_map(|(_, waiter)| waiter.deadline()).min()
    }

    /// The calls of mailboxes that have run out of time, with whether each was sent.
    pub(super) fn expired(&self, now: Deadline) -> Vec<(CallId, bool)> {
        let late = |waiter: &Waiter| waiter.deadline().is_some_and(|deadline| deadline <= now);
        self.all().filter(|(_, waiter)| late(waiter)).map(|(call, waiter)| (call, waiter.is_sent())).collect()
    }

    /// Takes the waiter of a call that ends on this side; a call that was sent counts until it is answered.
    pub(super) fn give_up(&mut self, call: CallId) -> Option<Waiter> {
        if let Some(at) = self.waiting.iter().position(|waiting| waiting.call == call) {
            return self.waiting.remove(at).map(|waiting| waiting.waiter);
        }
        self.calls.get_mut(&call).map(|sent| std::mem::replace(&mut sent.waiter, Waiter::Abandoned))
    }

    /// Ends the connection: everybody, with whether the peer may have seen the call.
    pub(super) fn close(&mut self, cause: Arc<str>) -> Vec<(Waiter, bool)> {
        self.closed.get_or_insert(cause);
        let sent = self.calls.drain().map(|(_, sent)| (sent.waiter, true));
        let mut all: Vec<_> = sent.collect();
        all.extend(self.waiting.drain(..).map(|waiting| (waiting.waiter, false)));
        all
    }

    pub(super) fn len(&self) -> usize {
        self.calls.len() + self.waiting.len()
    }

    /// How many calls the peer may be running whose deadline lies before `moment`, with how many may run at once.
    pub(super) fn overdue(&self, moment: Deadline) -> (usize, usize) {
        let overdue = self.calls.values().filter(|sent| sent.deadline < moment).count();
        (overdue, self.in_flight_max)
    }

    fn all(&self) -> impl Iterator<Item = (CallId, &Waiter)> {
        let sent = self.calls.iter().map(|(call, sent)| (*call, &sent.waiter));
        sent.chain(self.waiting.iter().map(|waiting| (waiting.call, &waiting.waiter)))
    }
}

impl Waiter {
    /// Tells it that the call ended.
    pub(super) fn tell(self, ended: Ended) {
        match self {
            Self::Thread(slot) => slot.tell(|news| news.ended = Some(ended)),
            Self::Mailbox { mailbox, token, .. } => mailbox.put(token, ended),
            Self::Abandoned => {}
        }
    }

    fn is_sent(&self) -> bool {
        !matches!(self, Self::Mailbox { frame: Some(_), .. })
    }

    fn deadline(&self) -> Option<Deadline> {
        match self {
            Self::Mailbox { deadline, .. } => Some(*deadline),
            Self::Thread(_) | Self::Abandoned => None,
        }
    }
}
