//! The asking end. A caller claims a lane, puts its call there, rings, and waits at the lane.
//!
//! ```text
//! claim (or wait for a turn) -> write -> ask, ring -> look | let run | sleep -> { more room } -> answered | late | closed
//! ```
//! How it waits is here; `client/` has what comes before that (`claiming.rs`), and after (`answered.rs`, `leaving.rs`).

mod answered;
mod claiming;
mod leaving;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{Condvar, Mutex};

use super::claims::Claims;
use super::futex::RealFence;
use super::notes::Notes;
use super::processor::{HABIT, copying, processor};
use super::region::{Field, Region};
use super::splitting::Splitting;
use super::wear::Wear;
use super::word::{self, Fence, Progress};
use crate::patience::Patience;
use crate::{Broken, CallFailure, Client, Deadline, OnBroken, Outgoing};

pub(super) use answered::Corrupt;
pub(super) use leaving::Left;

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
            answered: AtomicBool::new(false),
            over: AtomicBool::new(false),
            cause: OnceLock::new(),
            closed: (Mutex::default(), Condvar::new()),
            broken: AtomicBool::new(false),
            on_broken,
        }
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

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
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
        (self.notes.overdue(moment), self.running_max)
    }

    fn is_ignored(&self, moment: Deadline) -> bool {
        let (bell, moment) = (self.region.bell(), moment.as_monotonic_ns());
        let answered = self.answered.swap(false, Ordering::Relaxed);
        let deadlines = self.notes.deadlines().enumerate();
        // What waits goes back to its caller at its deadline, so that it is never overdue.
        let (waiting, taken): (Vec<_>, Vec<_>) =
            deadlines.filter(|(_, deadline)| *deadline != 0).partition(|(lane, _)| bell.is_rung_for(*lane));
        !answered && !waiting.is_empty() && taken.iter().all(|(_, deadline)| *deadline < moment)
    }
}
