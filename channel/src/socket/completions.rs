//! Calls whose callers must not block: their ends are put into a mailbox, whose descriptor tells an event loop.
//!
//! One thread of the client reads the socket for all mailboxes and ends calls at their deadlines. It begins with the
//! first mailbox, ends with the client, and sleeps while nothing comes.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::thread;

use nix::sys::eventfd::{EfdFlags, EventFd};
use parking_lot::Mutex;

use super::flight::{Admission, Ended, PendingFrame, Waiter};
use super::{SocketClient, Until};
use crate::{CallFailure, Client, Completed, Completions, Deadline, LoopClient, Outgoing};

/// A client for event loops as well as for threads.
pub struct SocketLoopClient {
    shared: Arc<Shared>,
}

/// Its client, and what reads for mailboxes.
struct Shared {
    client: Arc<SocketClient>,
    reader: Mutex<Option<Arc<ReaderThread>>>,
}

/// The thread that reads for all mailboxes of one client.
struct ReaderThread {
    /// Wakes it when a call with an earlier deadline has come.
    wake: Arc<EventFd>,
    /// When it wakes by itself.
    armed: Arc<Mutex<Deadline>>,
}

/// A queue of calls in flight.
struct SocketCompletions {
    owner: Arc<Shared>,
    reader: Arc<ReaderThread>,
    mailbox: Arc<Mailbox>,
}

/// Where the ends of calls are put.
pub(super) struct Mailbox {
    /// Readable exactly while `ended` is not empty.
    event: EventFd,
    ended: Mutex<VecDeque<Completed>>,
}

impl SocketLoopClient {
    /// Makes both uses of one client possible.
    pub fn new(client: SocketClient) -> Self {
        Self { shared: Arc::new(Shared { client: Arc::new(client), reader: Mutex::default() }) }
    }
}

impl LoopClient for SocketLoopClient {
    fn blocking(&self) -> &dyn Client {
        &*self.shared.client
    }

    fn completions(&self) -> io::Result<Box<dyn Completions>> {
        let mut reader = self.shared.reader.lock();
        let reader = match &*reader {
            Some(started) => started.clone(),
            None => reader.insert(Arc::new(ReaderThread::start(&self.shared.client)?)).clone(),
        };
        let mailbox = Arc::new(Mailbox::new()?);
        Ok(Box::new(SocketCompletions { owner: self.shared.clone(), reader, mailbox }))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.client.close("this side has gone");
        if let Some(reader) = &*self.reader.lock() {
            reader.wake();
        }
    }
}

impl ReaderThread {
    fn start(client: &Arc<SocketClient>) -> io::Result<Self> {
        let (wake, armed) = (Arc::new(event()?), Arc::new(Mutex::new(Deadline::NEVER)));
        let this = Self { wake: wake.clone(), armed: armed.clone() };
        client.leave_reading_to_a_thread();
        let client = Arc::downgrade(client);
        let run = move || {
            // The client outlives the loop: its owner closes it first, and then wakes us.
            if let Some(client) = client.upgrade() {
                client.read_for_mailboxes(|| {
                    let _ = wake.read();
                    let open = client.flight.lock().closed.is_none();
                    open.then(|| Until { deadline: client.expire(&armed), wake: Some(wake.as_fd()) })
                });
            }
        };
        thread::Builder::new().name("calls-reader".into()).spawn(run)?;
        Ok(this)
    }

    fn wake(&self) {
        // The counter saturates far beyond what wakes can add between two reads.
        let _ = self.wake.write(1);
    }

    /// Makes sure that it wakes by `deadline`.
    fn arm(&self, deadline: Deadline) {
        let earlier = {
            let mut armed = self.armed.lock();
            let earlier = deadline < *armed;
            *armed = deadline.min(*armed);
            earlier
        };
        if earlier {
            self.wake();
        }
    }
}

impl SocketClient {
    /// Ends the calls of mailboxes that have run out of time, and returns when to look again. What is armed stays so
    /// until it passes: one needless wake-up costs less than one for each call.
    fn expire(&self, armed: &Mutex<Deadline>) -> Deadline {
        let mut armed = armed.lock();
        if !armed.expired() {
            return *armed;
        }
        let late = self.flight.lock().expired(Deadline::now());
        for (call, sent) in late {
            self.end_early(call, CallFailure::Late { delivered: sent }, sent);
        }
        *armed = self.flight.lock().next_deadline().unwrap_or(Deadline::NEVER);
        *armed
    }

    fn end_early(&self, call: u64, failure: CallFailure, sent: bool) {
        let waiter = self.flight.lock().give_up(call);
        if let Some(waiter) = waiter {
            waiter.tell(Ended::failed(failure));
        }
        if sent {
            self.tell_cancelled(call);
        }
    }
}

impl Completions for SocketCompletions {
    fn start(&self, token: u64, call: &Outgoing<'_>) -> Result<(), CallFailure> {
        let client = &self.owner.client;
        client.check(call)?;
        let frame = PendingFrame {
            actor: call.actor.to_owned(),
            operation: call.operation.to_owned(),
            payload: call.payload.to_owned(),
        };
        let waiter =
            Waiter::Mailbox { mailbox: self.mailbox.clone(), token, deadline: call.deadline, frame: Some(frame) };
        let (id, pending) = {
            let mut flight = client.flight.lock();
            let (id, admission) = flight.admit(waiter, call.deadline)?;
            (id, if admission == Admission::Now { flight.take_frame(id) } else { None })
        };
        if let Some(frame) = pending {
            client.send_pending(id, call.deadline, &frame);
            client.send_waiting();
        }
        self.reader.arm(call.deadline);
        Ok(())
    }

    fn cancel(&self, token: u64) {
        let found = self.owner.client.flight.lock().find(&self.mailbox, token);
        if let Some((call, sent)) = found {
            self.owner.client.end_early(call, CallFailure::Cancelled, sent);
        }
    }

    fn take_next(&self) -> Option<Completed> {
        self.mailbox.take()
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.mailbox.event.as_fd()
    }
}

impl Drop for SocketCompletions {
    fn drop(&mut self) {
        let calls = self.owner.client.flight.lock().calls_of(&self.mailbox);
        for (call, sent) in calls {
            self.owner.client.end_early(call, CallFailure::Cancelled, sent);
        }
    }
}

impl Mailbox {
    fn new() -> io::Result<Self> {
        Ok(Self { event: event()?, ended: Mutex::default() })
    }

    pub(super) fn put(&self, token: u64, Ended { result, bytes }: Ended) {
        let mut ended = self.ended.lock();
        if ended.is_empty() {
            // The counter is 0 or 1, so this can't block.
            let _ = self.event.write(1);
        }
        ended.push_back(Completed { token, result, bytes });
    }

    fn take(&self) -> Option<Completed> {
        let mut ended = self.ended.lock();
        let first = ended.pop_front();
        if first.is_some() && ended.is_empty() {
            let _ = self.event.read();
        }
        first
    }
}

fn event() -> io::Result<EventFd> {
    Ok(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?)
}
