//! The asking end. A caller claims a lane, puts its call there, rings, and waits at the lane.
//!
//! ```text
//! claim (or wait for a turn) -> write -> ask, ring -> look | let run | sleep -> { more room } -> answered | late | closed
//! ```
//! How it waits is here; `client/` has what comes before that (`prepared.rs`), and after (`answered.rs`, `leaving.rs`).

mod answered;
mod leaving;
mod prepared;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use cofferdam_protocol::limits::CALL_HEADER_BYTES_MAX;
use parking_lot::{Condvar, Mutex};

use super::claims::Claims;
use super::futex::RealFence;
use super::processor::{HABIT, copying, processor};
use super::region::{Field, Region};
use super::splitting::Splitting;
use super::wear::Wear;
use super::word::{self, Fence, Progress};
use crate::patience::Patience;
use crate::{Broken, CallFailure, Client, Deadline, OnBroken, Outgoing};

pub(super) use answered::Corrupt;
pub(super) use leaving::Left;
use prepared::Prepared;

/// Larger payloads are read where they were written: their caches are worth more than the wait.
const SPLIT_BYTES_MAX: usize = 64 << 10;

/// The asking end of one direction, in lanes.
pub struct LaneClient {
    pub(super) region: Arc<Region>,
    pub(super) claims: Claims,
    /// By lane: when its caller stops waiting, or has stopped. 0 for a lane that is free.
    deadlines: Vec<AtomicU64>,
    calls: AtomicU64,
    payload_bytes_max: u32,
    wear: Wear,
    patience: Patience,
    splitting: Splitting,
    /// A call was since somebody asked whether the callee takes them.
    answered: AtomicBool,
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

impl LaneClient {
    /// Asks in the lanes of `region`, in so many at once. `on_broken` is told, once, when the callee writes what may not
    /// stand there; calls in flight stay until [`Client::close`] says why, or their deadline.
    pub fn new(region: Arc<Region>, in_flight_max: usize, payload_bytes_max: u32, on_broken: OnBroken) -> Self {
        let lanes = region.layout().lanes();
        Self {
            claims: Claims::new(lanes, in_flight_max),
            deadlines: (0..lanes).map(|_| AtomicU64::new(0)).collect(),
            region,
            calls: AtomicU64::new(0),
            payload_bytes_max,
            wear: Wear::new(lanes),
            patience: Patience::new(HABIT),
            splitting: Splitting::default(),
            answered: AtomicBool::new(false),
            over: AtomicBool::new(false),
            cause: OnceLock::new(),
            closed: (Mutex::default(), Condvar::new()),
            broken: AtomicBool::new(false),
            on_broken,
        }
    }

    /// Puts the call into its lane, and rings. The answer is told to a mailbox, or to whoever waits at the lane.
    pub(super) fn ask(&self, lane: usize, prepared: &Prepared<'_>, call: &Outgoing<'_>, mailbox: Option<usize>) {
        let (region, Prepared { number, header }) = (&self.region, prepared);
        region.call(lane).store(*number, Ordering::Relaxed);
        region.set(lane, Field::Mailbox, mailbox.map_or(0, |mailbox| mailbox as u32 + 1));
        self.wear.used(lane);
        region.write_header(lane, header);
        region.write_argument(lane, call.payload);
        region.set(lane, Field::HeaderBytes, header.len() as u32);
        region.set(lane, Field::Bytes, call.payload.len() as u32);
        region.set(lane, Field::AnswerLane, lane as u32);
        // One that there is not, for a caller that is about to move.
        let own = processor().filter(|_| !self.splitting.is_moving()).unwrap_or(u32::MAX - 1);
        region.set(lane, Field::CallerProcessor, own + 1);
        self.deadlines[lane].store(call.deadline.as_monotonic_ns(), Ordering::Relaxed);
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
                    return Err(self.cut_off(lanes.asked));
                }
                Progress::Closed => {
                    return Err(self.report(&Broken::Lane("it closed what only this side closes"), call));
                }
                Progress::More => self.give_more(lanes, call)?,
                Progress::Asked => {
                    self.splitting.asked(|| !self.region.bell().is_rung_for(lanes.asked));
                    // On one processor it can't run while we look.
                    let has_changed = || (word::look(word) != Progress::Asked).then_some(());
                    if self.are_apart(lanes.asked)
                        && self.patience.look_beyond(copying(call.payload.len()), has_changed).is_some()
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

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}

impl Client for LaneClient {
    fn call(&self, call: &Outgoing<'_>, answer: &mut Vec<u8>) -> Result<(), CallFailure> {
        let mut room = [0; CALL_HEADER_BYTES_MAX];
        let prepared = self.prepare(call, &mut room)?;
        let mut lanes = Lanes { asked: self.claim(call)?, more: None };
        self.ask(lanes.asked, &prepared, call, None);
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

    fn distrust(&self) {
        self.broken.store(true, Ordering::Release);
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
        let deadlines = self.deadlines.iter().map(|deadline| deadline.load(Ordering::Relaxed));
        let overdue = deadlines.filter(|deadline| (1..moment.as_monotonic_ns()).contains(deadline));
        (overdue.count(), self.claims.in_use_max())
    }

    fn is_ignored(&self, moment: Deadline) -> bool {
        let (bell, moment) = (self.region.bell(), moment.as_monotonic_ns());
        let answered = self.answered.swap(false, Ordering::Relaxed);
        let deadlines = self.deadlines.iter().map(|deadline| deadline.load(Ordering::Relaxed)).enumerate();
        // What waits goes back to its caller at its deadline, so that it is never overdue.
        let (waiting, taken): (Vec<_>, Vec<_>) =
            deadlines.filter(|(_, deadline)| *deadline != 0).partition(|(lane, _)| bell.is_rung_for(*lane));
        !answered && !waiting.is_empty() && taken.iter().all(|(_, deadline)| *deadline < moment)
    }
}
