//! The asking end. A caller claims a lane, puts its call there, rings, and waits at the lane.
//!
//! ```text
//! claim (or wait for a turn) -> write -> ask, ring -> look | let run | sleep -> { more room } -> answered | late | closed
//! ```

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use cofferdam_protocol::call::{Fault, Request};
use cofferdam_protocol::limits::WORDS_BYTES_MAX;
use parking_lot::{Condvar, Mutex};

use super::claims::{Claims, NoLane};
use super::futex::RealFence;
use super::notes::Notes;
use super::processor::{HABIT, copying, processor};
use super::region::{Field, Region};
use super::splitting::Splitting;
use super::wear::Wear;
use super::word::{self, Fence, Progress};
use crate::patience::Patience;
use crate::{Broken, CallFailure, Client, Deadline, OnBroken, Outgoing};

/// Larger payloads are read where they were written: their caches are worth more than the wait.
const SPLIT_BYTES_MAX: usize = 64 << 10;

/// How many calls may be in flight or lie ready for each that the callee runs. Its workers go from one call to the next that
/// lies ready, without anybody on this side having to be woken first.
const READY_PER_CALL: usize = 2;
/// How many calls more may wait for each that the callee runs.
const WAITING_PER_CALL: usize = 16;

/// The asking end of one direction, in lanes.
pub struct LaneClient {
    pub(super) region: Arc<Region>,
    pub(super) claims: Claims,
    notes: Notes,
    /// What the callee runs at once.
    pub(super) running_max: usize,
    payload_bytes_max: u32,
    wear: Wear,
    patience: Patience,
    splitting: Splitting,
    over: AtomicBool,
    cause: OnceLock<Arc<str>>,
    closed: (Mutex<()>, Condvar),
    broken: AtomicBool,
    on_broken: OnBroken,
}

/// The lanes of one call.
#[derive(Clone, Copy)]
pub(super) struct Lanes {
    /// Where it was asked.
    pub(super) asked: usize,
    /// Where its answer lies, if there was no room for it there.
    pub(super) more: Option<usize>,
}

/// What becomes of a call that its caller leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Its callee has not seen it, and does not.
    Unseen,
    /// Its callee may be running it.
    Running,
    /// It is answered.
    Answered,
}

/// What a lane says of its answer that no callee says who keeps to the rules.
pub(super) struct Corrupt(pub(super) Broken);

impl LaneClient {
    /// Asks in the lanes of `region`, a callee that runs so many calls at once. `on_broken` is told, once, when the callee writes what may not
    /// stand there; calls in flight stay until [`Client::close`] says why, or their deadline.
    pub fn new(region: Arc<Region>, running_max: usize, payload_bytes_max: u32, on_broken: OnBroken) -> Self {
        let lanes = region.layout().lanes();
        let running_max = running_max.min(lanes);
        let in_use_max = (READY_PER_CALL * running_max).min(lanes);
        Self {
            claims: Claims::new(lanes, in_use_max, WAITING_PER_CALL * running_max),
            running_max,
            notes: Notes::new(lanes),
            region,
            payload_bytes_max,
            wear: Wear::new(lanes),
            patience: Patience::new(HABIT),
            splitting: Splitting::default(),
            over: AtomicBool::new(false),
            cause: OnceLock::new(),
            closed: (Mutex::default(), Condvar::new()),
            broken: AtomicBool::new(false),
            on_broken,
        }
    }

    pub(super) fn came_back(&self, lane: usize) -> bool {
        let came_back = word::look(self.region.word(lane)) == Progress::Answered;
        if came_back {
            self.notes.free(lane);
        }
        came_back
    }

    fn claim(&self, call: &Outgoing<'_>) -> Result<usize, CallFailure> {
        let among = self.region.layout().lanes_for(call.payload.len());
        let (is_over, next_look) = (|| self.is_over() || call.is_over(), || call.next_look());
        let claimed = self.claims.claim(among, &|lane| self.came_back(lane), (&is_over, &next_look));
        claimed.map_err(|why| match why {
            NoLane::Crowded => CallFailure::Overloaded { limit: self.running_max },
            NoLane::Over if self.is_over() => self.failed(false),
            NoLane::Over => call.given_up(false),
        })
    }

    /// Whether it may be asked: before the call takes a lane, and before anybody counts on it.
    pub(super) fn check(&self, call: &Outgoing<'_>) -> Result<(), CallFailure> {
        let (bytes, limit) = (call.payload.len(), self.payload_bytes_max as usize);
        if bytes > limit {
            return Err(CallFailure::TooLarge { bytes, limit });
        }
        let Outgoing { actor, operation, deadline, .. } = *call;
        let request = Request { call: 1, deadline_ns: deadline.as_monotonic_ns(), actor, operation };
        request.check().map_err(|error| CallFailure::Unsendable { why: error.to_string() })
    }

    /// Puts the call into its lane, and rings. The answer is told to a mailbox, or to whoever waits at the lane.
    pub(super) fn ask(&self, lane: usize, call: &Outgoing<'_>, mailbox: Option<usize>) {
        let region = &self.region;
        region.call(lane).store(self.notes.begin(lane, call.deadline), Ordering::Relaxed);
        region.deadline(lane).store(call.deadline.as_monotonic_ns(), Ordering::Relaxed);
        region.set(lane, Field::Mailbox, mailbox.map_or(0, |mailbox| mailbox as u32 + 1));
        self.wear.used(lane);
        region.write_names(lane, [call.actor, call.operation]);
        region.write_argument(lane, call.payload);
        region.set(lane, Field::ActorBytes, call.actor.len() as u32);
        region.set(lane, Field::OperationBytes, call.operation.len() as u32);
        region.set(lane, Field::Bytes, call.payload.len() as u32);
        region.set(lane, Field::AnswerLane, lane as u32);
        // One that there is not, for a caller that is about to move.
        let own = processor().filter(|_| !self.splitting.is_moving()).unwrap_or(u32::MAX - 1);
        region.set(lane, Field::CallerProcessor, own + 1);
        word::ask(region.word(lane));
        region.bell().ring::<RealFence>(lane);
    }

    fn wait(&self, lanes: &mut Lanes, call: &Outgoing<'_>) -> Result<(), CallFailure> {
        let word = self.region.word(lanes.asked);
        let mut has_let_run = false;
        // Whoever closes says so first and looks at the lanes then; we have asked, and look at what it said.
        RealFence::full();
        loop {
            match word::look(word) {
                Progress::Answered => {
                    self.note_processors(lanes.asked, call);
                    return Ok(());
                }
                Progress::Closed | Progress::Asked if self.is_over() => {
                    return Err(self.failed(!self.region.bell().unring(lanes.asked)));
                }
                Progress::Closed => {
                    return Err(self.report(&Broken::Lane("it closed what only this side closes"), call));
                }
                Progress::More => self.give_more(lanes, call)?,
                Progress::Asked => {
                    self.splitting.asked(|| !self.region.bell().is_rung_for(lanes.asked));
                    // On one processor it can't run while we look.
                    let has_changed = || (word::look(word) != Progress::Asked).then_some(());
                    let (copying, is_taken) =
                        (copying(call.payload.len()), || !self.region.bell().is_rung_for(lanes.asked));
                    // A call that has to wait for another is not looked for.
                    let is_next = self.claims.counts().0 <= self.running_max;
                    if is_next
                        && self.are_apart(lanes.asked)
                        && self.patience.look_beyond(copying, is_taken, has_changed).is_some()
                    {
                        continue;
                    }
                    if call.is_over() {
                        return self.give_up(*lanes, call);
                    }
                    if !has_let_run && self.claims.counts().0 > 1 {
                        has_let_run = true;
                        std::thread::yield_now();
                        continue;
                    }
                    word::sleep(word, call.next_look());
                }
            }
        }
    }

    /// Whether the callee ran on another processor than this, the last time that it told.
    fn are_apart(&self, lane: usize) -> bool {
        let callee = self.region.get(lane, Field::CalleeProcessor).checked_sub(1);
        callee.is_none() || callee != processor()
    }

    /// The call is answered: by a callee that has run on this processor, in our stead, or beside us on another.
    fn note_processors(&self, lane: usize, call: &Outgoing<'_>) {
        if self.are_apart(lane) {
            self.splitting.apart();
        } else if call.payload.len() < SPLIT_BYTES_MAX && self.claims.counts().0 == 1 && self.splitting.together() {
            self.patience.begin_anew();
        }
    }

    /// The answer is longer than the lane that was asked.
    fn give_more(&self, lanes: &mut Lanes, call: &Outgoing<'_>) -> Result<(), CallFailure> {
        let among = self.wanted(*lanes).map_err(|Corrupt(broken)| self.report(&broken, call))?;
        let (is_over, next_look) = (|| self.is_over() || call.is_over(), || call.next_look());
        let claimed = self.claims.claim_more(among, &|lane| self.came_back(lane), (&is_over, &next_look));
        let Some(more) = claimed else {
            return if self.is_over() { Err(self.failed(true)) } else { self.give_up(*lanes, call) };
        };
        self.grant(lanes, more);
        Ok(())
    }

    /// The lanes with room for an answer that is longer than the one that was asked.
    pub(super) fn wanted(&self, lanes: Lanes) -> Result<Range<usize>, Corrupt> {
        let bytes = self.region.get(lanes.asked, Field::Bytes) as usize;
        let among = self.region.layout().lanes_for(bytes);
        if lanes.more.is_some() || bytes > self.payload_bytes_max as usize || among.is_empty() {
            return Err(Corrupt(Broken::Lane("it asks for more room than there is")));
        }
        Ok(among)
    }

    /// Gives the callee the room.
    pub(super) fn grant(&self, lanes: &mut Lanes, more: usize) {
        self.wear.used(more);
        lanes.more = Some(more);
        self.region.set(lanes.asked, Field::AnswerLane, more as u32);
        word::grant(self.region.word(lanes.asked));
    }

    /// Takes the answer out of the lanes, and lets go of them.
    pub(super) fn take(&self, lanes: Lanes, answer: &mut Vec<u8>) -> Result<Result<(), CallFailure>, Corrupt> {
        let Lanes { asked, more } = lanes;
        let (outcome, bytes) = (self.region.get(asked, Field::Outcome), self.region.get(asked, Field::Bytes) as usize);
        let lane = more.unwrap_or(asked);
        let room = self.region.slab_bytes(lane);
        let (result, limit) = match outcome {
            0 => (Ok(()), room.min(self.payload_bytes_max as usize)),
            outcome => match fault(outcome - 1) {
                Some(fault) => (Err(CallFailure::Answered(fault)), room.min(WORDS_BYTES_MAX)),
                None => return Err(Corrupt(Broken::Lane("there is no such outcome"))),
            },
        };
        if bytes > limit {
            return Err(Corrupt(Broken::Lane("the answer is longer than may be")));
        }
        self.region.read_answer(lane, bytes, answer);
        self.release(lanes);
        Ok(result)
    }

    pub(super) fn release(&self, lanes: Lanes) {
        self.notes.free(lanes.asked);
        word::rest(self.region.word(lanes.asked));
        self.claims.release(lanes.asked);
        if let Some(more) = lanes.more {
            self.claims.release(more);
        }
    }

    /// The caller leaves. Ok when the answer has come after all.
    fn give_up(&self, lanes: Lanes, call: &Outgoing<'_>) -> Result<(), CallFailure> {
        match self.leave(lanes) {
            Left::Answered => Ok(()),
            Left::Unseen => Err(call.given_up(false)),
            Left::Running => Err(call.given_up(true)),
        }
    }

    /// Leaves the lanes to the callee, if it has them.
    pub(super) fn leave(&self, lanes: Lanes) -> Left {
        if self.region.bell().unring(lanes.asked) {
            self.release(lanes);
            return Left::Unseen;
        }
        if word::leave(self.region.word(lanes.asked)) == Progress::Answered {
            return Left::Answered;
        }
        self.claims.leave(lanes.asked, lanes.more);
        self.region.gone().ring_loudly::<RealFence>(lanes.asked);
        Left::Running
    }

    /// The callee broke a rule. Why the connection ends is not for us to say: whoever closes the client does. The lanes of
    /// the call are nobody's from now on.
    fn report(&self, broken: &Broken, call: &Outgoing<'_>) -> CallFailure {
        self.tell_broken(broken);
        let (lock, changed) = &self.closed;
        let mut waiting = lock.lock();
        while !self.is_over() && !call.is_over() {
            changed.wait_for(&mut waiting, call.next_look().remaining());
        }
        if self.is_over() { self.failed(true) } else { call.given_up(true) }
    }

    pub(super) fn tell_broken(&self, broken: &Broken) {
        if !self.broken.swap(true, Ordering::AcqRel) {
            (self.on_broken)(broken);
        }
    }

    /// Whatever was left and has come back is for who waits.
    pub(super) fn take_back(&self) {
        if self.claims.take_back(&|lane| self.came_back(lane)) {
            self.claims.rouse_next();
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    pub(super) fn failed(&self, delivered: bool) -> CallFailure {
        let cause = self.cause.get().cloned().unwrap_or_else(|| Arc::from("the connection is closed"));
        CallFailure::Closed { delivered, cause }
    }
}

impl Client for LaneClient {
    fn call(&self, call: &Outgoing<'_>, answer: &mut Vec<u8>) -> Result<(), CallFailure> {
        self.check(call)?;
        let mut lanes = Lanes { asked: self.claim(call)?, more: None };
        self.ask(lanes.asked, call, None);
        self.wait(&mut lanes, call)?;
        self.take(lanes, answer).unwrap_or_else(|Corrupt(broken)| Err(self.report(&broken, call)))
    }

    fn close(&self, cause: &str) {
        // Only the first counts.
        let _ = self.cause.set(Arc::from(cause));
        self.over.store(true, Ordering::Release);
        RealFence::full();
        (0..self.region.layout().lanes()).for_each(|lane| word::close(self.region.word(lane)));
        self.claims.rouse();
        drop(self.closed.0.lock());
        self.closed.1.notify_all();
    }

    fn in_flight(&self) -> usize {
        self.take_back();
        let (in_use, waiting) = self.claims.counts();
        in_use + waiting
    }

    fn give_back(&self) {
        // While it is lent to us, nobody has it: neither a caller, nor a callee that owes an answer.
        self.wear.look(|lane| self.claims.lend(lane, || self.region.give_back(lane)));
    }

    fn overdue(&self, moment: Deadline) -> (usize, usize) {
        self.take_back();
        (self.notes.overdue(moment), self.running_max)
    }
}

/// By the order in which the protocol has them.
fn fault(number: u32) -> Option<Fault> {
    [Fault::Failed, Fault::Panicked, Fault::Denied, Fault::Late, Fault::Unavailable, Fault::Invalid, Fault::Internal]
        .get(number as usize)
        .copied()
}
