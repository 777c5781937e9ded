//! The asking end. Callers read the socket themselves: one for all, and the role is handed on.
//!
//! ```text
//! admit -> (wait for a turn) -> write -> { read for all | wait to be told } -> answered | late | closed
//! ```
//! Who reads holds the lock on the reader. Whoever lets go of it wakes one that waits, so there is always a reader while
//! somebody waits; whoever was woken to read and leaves passes that on.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cofferdam_protocol::DecodeError;
use cofferdam_protocol::call::{CallId, Header, Request};
use cofferdam_protocol::limits::CALL_HEADER_BYTES_MAX;
use interprocess::os::unix::uds_local_socket::Stream;
use parking_lot::Mutex;

use super::flight::{Admission, Ended, Flight, News, PendingFrame, Slot, Waiter};
use super::reader::{Frame, FrameReader};
use super::writer::{Writer, Written};
use super::{Until, prepare};
use crate::{Broken, CallFailure, Cancelled, Client, Deadline, OnBroken, Outgoing};

/// How long a cancel waits for its turn to be written.
const CANCEL_TIMEOUT: Duration = Duration::from_millis(1);
/// How long whoever only asks how many calls there are reads for that. A peer may never stop sending.
const CATCH_UP_MAX: Duration = Duration::from_millis(1);

/// The bounds of one client.
#[derive(Clone, Copy, Debug)]
pub struct ClientConfig {
    /// Calls that the peer takes at once; what is beyond waits its turn here.
    pub in_flight_max: usize,
    /// Argument or answer.
    pub payload_bytes_max: u32,
}

/// The asking end of one direction, on a socket.
pub struct SocketClient {
    pub(super) stream: Stream,
    writer: Writer,
    reader: Mutex<Reading>,
    pub(super) flight: Mutex<Flight>,
    payload_bytes_max: u32,
    broken: AtomicBool,
    reader_thread: AtomicBool,
    on_broken: OnBroken,
}

struct Reading {
    frames: FrameReader,
    /// Memory for the next frame.
    frame: Frame,
}

impl SocketClient {
    /// Takes one end of a connection. `on_broken` is told, once, when the peer closes it or breaks the grammar; calls in
    /// flight stay until [`Client::close`] says why, or their deadline.
    pub fn new(stream: UnixStream, config: ClientConfig, on_broken: OnBroken) -> std::io::Result<Self> {
        let reading = Reading { frames: FrameReader::new(config.payload_bytes_max), frame: Frame::default() };
        Ok(Self {
            stream: prepare(stream)?,
            writer: Writer::new(config.payload_bytes_max),
            reader: Mutex::new(reading),
            flight: Mutex::new(Flight::new(config.in_flight_max)),
            payload_bytes_max: config.payload_bytes_max,
            broken: AtomicBool::new(false),
            reader_thread: AtomicBool::new(false),
            on_broken,
        })
    }

    fn run(
        &self,
        call: CallId,
        admission: Admission,
        slot: &Slot,
        outgoing: &Outgoing<'_>,
    ) -> Result<Ended, CallFailure> {
        if admission == Admission::Later {
            self.await_news(slot, outgoing, |news| news.admitted);
            if let Some(ended) = slot.look(|news| news.ended.take()) {
                return Ok(ended);
            }
            if !slot.look(|news| news.admitted) || outgoing.cancelled.is_set() {
                self.leave(call, false);
                return Err(outgoing.given_up(false));
            }
        }
        match self.send(call, outgoing) {
            Ok(Written::Whole) => self.await_news(slot, outgoing, |_| false),
            Ok(Written::Nothing) => {
                self.leave(call, false);
                return Err(CallFailure::Late { delivered: false });
            }
            Ok(Written::Part) => {}
            Err(Broken::Protocol(DecodeError::Unsendable { why, .. })) => {
                self.leave(call, false);
                return Err(CallFailure::Unsendable { why });
            }
            Err(broken) => {
                // Why the connection ended is not for us to say: whoever closes the client does.
                self.report(&broken);
                self.await_news(slot, outgoing, |_| false);
            }
        }
        slot.look(|news| news.ended.take()).ok_or_else(|| {
            self.leave(call, true);
            outgoing.given_up(true)
        })
    }

    /// Returns when there is enough news, when the call ended, at the deadline, or when the caller has gone; reads for all
    /// meanwhile if nobody does.
    fn await_news(&self, slot: &Slot, outgoing: &Outgoing<'_>, enough: impl Fn(&News) -> bool) {
        let done = |news: &News| news.ended.is_some() || enough(news);
        slot.look(|news| news.waits = true);
        loop {
            // Whoever leaves and was asked to read is to ask another.
            let leaves = slot.look(|news| {
                let leaves = done(news) || outgoing.is_over();
                news.should_read &= leaves;
                leaves
            });
            if leaves {
                break;
            }
            if !self.is_broken()
                && !self.has_reader_thread()
                && let Some(mut reading) = self.reader.try_lock()
            {
                // A wait that ends only to look whether the caller has gone is no reason to let go.
                while !slot.look(|news| done(news)) && !outgoing.is_over() && !self.is_broken() {
                    self.read_one(&mut reading, outgoing.next_look().into());
                }
                drop(reading);
                self.flight.lock().hand_over_reading();
            }
            slot.wait(outgoing.next_look(), &enough);
        }
        // Asked to read and leaving: somebody else should.
        let asked = slot.look(|news| {
            news.waits = false;
            std::mem::take(&mut news.should_read)
        });
        if asked {
            self.flight.lock().hand_over_reading();
        }
    }

    /// Reads one frame and tells whom it concerns. False when the wait ends, or when there is nothing more to read.
    fn read_one(&self, reading: &mut Reading, until: Until<'_>) -> bool {
        let read = reading.frames.next(&self.stream, &mut reading.frame, until);
        let handled = read.and_then(|got| {
            if got {
                self.dispatch(&mut reading.frame)?;
            }
            Ok(got)
        });
        handled.unwrap_or_else(|broken| {
            self.report(&broken);
            false
        })
    }

    fn dispatch(&self, frame: &mut Frame) -> Result<(), Broken> {
        let (call, fault) = match frame.header()? {
            Header::Reply { call } => (call, None),
            Header::Failure { call, fault } => (call, Some(fault)),
            Header::Request(_) => return Err(Broken::WrongWay("request")),
            Header::Cancel { .. } => return Err(Broken::WrongWay("cancel")),
        };
        let (waiter, closed) = {
            let mut flight = self.flight.lock();
            (flight.answered(call), flight.closed.is_some())
        };
        let Some(waiter) = waiter else {
            // What was in flight when the connection was closed may still be answered.
            return if closed { Ok(()) } else { Err(Broken::UnknownCall(call)) };
        };
        waiter.tell(Ended::answered(fault, std::mem::take(&mut frame.payload)));
        self.send_waiting();
        Ok(())
    }

    /// There may be room: admits who waits, and sends for those that can't by themselves.
    pub(super) fn send_waiting(&self) {
        loop {
            let Some((call, deadline, frame)) = self.flight.lock().admit_next() else { return };
            // What could not be sent has made room again, so there is another turn.
            self.send_pending(call, deadline, &frame);
        }
    }

    /// Sends the frame of a mailbox's call, or ends the call. It may wait for the peer to read, which the peer always does:
    /// there are never more calls in flight than it has workers for, and one more reads.
    pub(super) fn send_pending(&self, call: CallId, deadline: Deadline, frame: &PendingFrame) {
        let PendingFrame { actor, operation, payload } = frame;
        let outgoing = Outgoing { actor, operation, payload, deadline, cancelled: Cancelled::never() };
        let failure = match self.send(call, &outgoing) {
            Ok(Written::Whole | Written::Part) => return,
            Ok(Written::Nothing) => CallFailure::Late { delivered: false },
            Err(Broken::Protocol(DecodeError::Unsendable { why, .. })) => CallFailure::Unsendable { why },
            Err(broken) => return self.report(&broken),
        };
        let waiter = self.flight.lock().answered(call);
        if let Some(waiter) = waiter {
            waiter.tell(Ended::failed(failure));
        }
    }

    pub(super) fn send(&self, call: CallId, outgoing: &Outgoing<'_>) -> Result<Written, Broken> {
        self.writer.write(&self.stream, &request(call, outgoing), outgoing.payload, outgoing.deadline)
    }

    /// The caller leaves without an answer. The peer is told if it may be working on it, unless that would block.
    fn leave(&self, call: CallId, sent: bool) {
        if self.flight.lock().abandon(call, sent) {
            self.tell_cancelled(call);
        }
        self.send_waiting();
    }

    pub(super) fn tell_cancelled(&self, call: CallId) {
        // A cancel is advice: when the socket is full the peer doesn't read, and would not hear of it anyway. Somebody who is
        // just writing is waited for.
        let deadlines = (Deadline::after(CANCEL_TIMEOUT), Deadline::now());
        if let Err(broken) = self.writer.write_in_turn(&self.stream, (&Header::Cancel { call }, &[]), deadlines) {
            self.report(&broken);
        }
    }

    /// From now on a thread of its own reads for all; callers only wait.
    pub(super) fn leave_reading_to_a_thread(&self) {
        self.reader_thread.store(true, Ordering::Release);
    }

    fn has_reader_thread(&self) -> bool {
        self.reader_thread.load(Ordering::Acquire)
    }

    /// Reads for all, until the connection breaks or `next` has nothing to wait for. `next` is asked before each wait.
    pub(super) fn read_for_mailboxes<'a>(&self, mut next: impl FnMut() -> Option<Until<'a>>) {
        let mut reading = self.reader.lock();
        while !self.is_broken()
            && let Some(until) = next()
        {
            self.read_one(&mut reading, until);
        }
    }

    /// Reads the answers that have come and that nobody waits for: the calls are not in flight any more. Never waits.
    fn catch_up(&self) {
        if self.flight.lock().len() == 0 || self.has_reader_thread() {
            return;
        }
        // Whoever reads for all does it otherwise.
        let Some(mut reading) = self.reader.try_lock() else { return };
        let enough = Deadline::after(CATCH_UP_MAX);
        while !self.is_broken() && !enough.expired() && self.read_one(&mut reading, Deadline::now().into()) {}
        drop(reading);
        self.flight.lock().hand_over_reading();
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    /// Whether the call can be put into a frame at all: before it takes a place, and before anybody counts on it.
    pub(super) fn check(&self, outgoing: &Outgoing<'_>) -> Result<(), CallFailure> {
        self.check_size(outgoing.payload)?;
        let written = request(1, outgoing).write(&mut [0; CALL_HEADER_BYTES_MAX]);
        written.map(drop).map_err(|error| CallFailure::Unsendable { why: error.to_string() })
    }

    fn check_size(&self, payload: &[u8]) -> Result<(), CallFailure> {
        let (bytes, limit) = (payload.len(), self.payload_bytes_max as usize);
        if bytes <= limit { Ok(()) } else { Err(CallFailure::TooLarge { bytes, limit }) }
    }

    fn report(&self, broken: &Broken) {
        if !self.broken.swap(true, Ordering::AcqRel) {
            (self.on_broken)(broken);
        }
    }
}

fn request<'a>(call: CallId, outgoing: &Outgoing<'a>) -> Header<'a> {
    let Outgoing { actor, operation, deadline, .. } = *outgoing;
    Header::Request(Request { call, deadline_ns: deadline.as_monotonic_ns(), actor, operation })
}

impl Client for SocketClient {
    fn call(&self, call: &Outgoing<'_>, answer: &mut Vec<u8>) -> Result<(), CallFailure> {
        self.check(call)?;
        let slot = Arc::new(Slot::default());
        let (id, admission) = self.flight.lock().admit(Waiter::Thread(slot.clone()), call.deadline)?;
        let ended = self.run(id, admission, &slot, call);
        let mut ended = ended?;
        std::mem::swap(answer, &mut ended.bytes);
        ended.result
    }

    fn close(&self, cause: &str) {
        let cause: Arc<str> = Arc::from(cause);
        let all = self.flight.lock().close(cause.clone());
        for (waiter, delivered) in all {
            waiter.tell(Ended::failed(CallFailure::Closed { delivered, cause: cause.clone() }));
        }
        // Whoever reads for all may wait for a peer that says nothing any more. A stream that was shut down is at its end,
        // which is no news.
        self.broken.store(true, Ordering::Release);
        let _ = self.stream.inner().shutdown(std::net::Shutdown::Both);
    }

    fn in_flight(&self) -> usize {
        self.catch_up();
        self.flight.lock().len()
    }

    fn overdue(&self, moment: Deadline) -> (usize, usize) {
        self.catch_up();
        self.flight.lock().overdue(moment)
    }
}
