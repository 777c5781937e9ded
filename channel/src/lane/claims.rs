//! Which lanes are free. It lies in the caller's own memory: the other side has no say in it. Claiming takes no lock
//! while there is room; where there is none, whoever came first is next. Whoever waits for a lane with a large slab keeps
//! nobody from a small one.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering, fence};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::turns::{Queue, Turn, Waiter, next_of_each};
use super::word::LANES_IN_WORD;
use crate::Deadline;

/// How long whoever is next waits before it looks for lanes that came back by themselves, where any are to.
const LEFT_LOOK: Duration = Duration::from_millis(2);

/// The lanes of one direction.
pub(super) struct Claims {
    free: Vec<AtomicU32>,
    /// Their callers have gone, and their callee has not ended the call.
    left: Vec<AtomicU32>,
    left_count: AtomicUsize,
    /// By lane: the other lane that its call has, and one more.
    others: Vec<AtomicU32>,
    in_use: AtomicUsize,
    in_use_max: usize,
    waiting: AtomicUsize,
    waiting_max: usize,
    queue: Mutex<Queue>,
    /// Told to those who wait for a second lane.
    released: Condvar,
}

/// Why there is no lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoLane {
    /// As many wait as may.
    Crowded,
    /// The wait is over.
    Over,
}

impl Claims {
    pub(super) fn new(lanes: usize, in_use_max: usize, waiting_max: usize) -> Self {
        let words = lanes.div_ceil(LANES_IN_WORD);
        let none = || (0..words).map(|_| AtomicU32::new(0)).collect::<Vec<_>>();
        let this = Self {
            free: none(),
            left: none(),
            left_count: AtomicUsize::new(0),
            others: (0..lanes).map(|_| AtomicU32::new(0)).collect(),
            in_use: AtomicUsize::new(0),
            in_use_max: in_use_max.min(lanes),
            waiting: AtomicUsize::new(0),
            waiting_max,
            queue: Mutex::default(),
            released: Condvar::new(),
        };
        (0..lanes).for_each(|lane| this.set(&this.free, lane));
        this
    }

    /// How many are, and how many wait.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.in_use.load(Ordering::Relaxed), self.waiting.load(Ordering::Relaxed))
    }

    /// Claims one of `among` if it is nobody else's turn. `came_back` says of a lane that was left whether its callee has
    /// ended the call.
    pub(super) fn claim_now(&self, among: &Range<usize>, came_back: &dyn Fn(usize) -> bool) -> Option<usize> {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let came = self.take_back(came_back);
        let lane = self.try_claim(among);
        // What came back may be for others; and an attempt in vain has kept a place for a moment that somebody was refused.
        if came || lane.is_none() {
            self.rouse_next();
        }
        lane
    }

    /// Claims one of `among`, at once or in turn. `next_look` says until when to wait before `is_over` is asked again.
    pub(super) fn claim(
        &self,
        among: Range<usize>,
        came_back: &dyn Fn(usize) -> bool,
        (is_over, next_look): (&dyn Fn() -> bool, &dyn Fn() -> Deadline),
    ) -> Result<usize, NoLane> {
        if let Some(lane) = self.claim_now(&among, came_back) {
            return Ok(lane);
        }
        let turn = self.queue(among, Deadline::NEVER, Waiter::Thread(Condvar::new()))?;
        let Waiter::Thread(changed) = &turn.waiter else { unreachable!("it was made a line above") };
        let mut queue = self.queue.lock();
        loop {
            if let Some(lane) = self.attempt(&mut queue, &turn, came_back) {
                return Ok(lane);
            }
            if is_over() {
                self.leave_queue(&mut queue, &turn);
                return Err(NoLane::Over);
            }
            let until = next_look().min(self.next_look());
            changed.wait_for(&mut queue, until.remaining());
        }
    }

    /// Gets in line for one of `among`. Whoever does not leave by itself is passed over from the deadline on.
    pub(super) fn queue(&self, among: Range<usize>, deadline: Deadline, waiter: Waiter) -> Result<Arc<Turn>, NoLane> {
        let mut queue = self.queue.lock();
        if queue.len() >= self.waiting_max {
            return Err(NoLane::Crowded);
        }
        let turn = Arc::new(Turn { among, deadline, waiter });
        queue.push_back(turn.clone());
        self.waiting.store(queue.len(), Ordering::Relaxed);
        Ok(turn)
    }

    /// Claims a lane if it is this one's turn, which is over then.
    pub(super) fn claim_in_turn(&self, turn: &Arc<Turn>, came_back: &dyn Fn(usize) -> bool) -> Option<usize> {
        self.attempt(&mut self.queue.lock(), turn, came_back)
    }

    /// Gets out of the line.
    pub(super) fn give_up_turn(&self, turn: &Arc<Turn>) {
        self.leave_queue(&mut self.queue.lock(), turn);
    }

    /// When to look again for what nobody tells of.
    pub(super) fn soon(&self) -> Deadline {
        Deadline::after(LEFT_LOOK)
    }

    /// When to look for lanes that came back by themselves, where any are to.
    pub(super) fn next_look(&self) -> Deadline {
        if self.left_count.load(Ordering::Relaxed) > 0 { Deadline::after(LEFT_LOOK) } else { Deadline::NEVER }
    }

    fn attempt(&self, queue: &mut Queue, turn: &Arc<Turn>, came_back: &dyn Fn(usize) -> bool) -> Option<usize> {
        // With the fence of whoever releases: it sees us, or we see what it released.
        fence(Ordering::SeqCst);
        // What those before us don't wait for.
        let before = queue.iter().take_while(|other| !Arc::ptr_eq(other, turn));
        let before = before.filter(|other| !other.deadline.expired());
        let end = before.map(|other| other.among.start).min().unwrap_or(turn.among.end);
        let came = self.take_back(came_back);
        let lane = self.try_claim(&(turn.among.start..end));
        if lane.is_some() {
            self.leave_queue(queue, turn);
        } else if came {
            next_of_each(queue);
        }
        lane
    }

    fn leave_queue(&self, queue: &mut Queue, turn: &Arc<Turn>) {
        queue.retain(|other| !Arc::ptr_eq(other, turn));
        self.waiting.store(queue.len(), Ordering::Relaxed);
        // There may be room for more than one.
        next_of_each(queue);
    }

    /// One more lane for a call that has one, without a turn: whoever has a lane with the largest slabs asks for none, so
    /// each of these waits ends. None when it is over.
    pub(super) fn claim_more(
        &self,
        among: Range<usize>,
        came_back: &dyn Fn(usize) -> bool,
        (is_over, next_look): (&dyn Fn() -> bool, &dyn Fn() -> Deadline),
    ) -> Option<usize> {
        loop {
            if let Some(lane) = self.claim_more_now(&among, came_back) {
                return Some(lane);
            }
            if is_over() {
                return None;
            }
            let mut queue = self.queue.lock();
            self.released.wait_for(&mut queue, next_look().min(Deadline::after(LEFT_LOOK)).remaining());
        }
    }

    /// The same, without waiting.
    pub(super) fn claim_more_now(&self, among: &Range<usize>, came_back: &dyn Fn(usize) -> bool) -> Option<usize> {
        self.take_back(came_back);
        let lane = self.take(among)?;
        self.in_use.fetch_add(1, Ordering::Relaxed);
        Some(lane)
    }

    fn try_claim(&self, among: &Range<usize>) -> Option<usize> {
        if among.is_empty() {
            return None;
        }
        let room = |in_use: usize| (in_use < self.in_use_max).then_some(in_use + 1);
        self.in_use.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).ok()?;
        let lane = self.take(among);
        if lane.is_none() {
            self.in_use.fetch_sub(1, Ordering::Relaxed);
        }
        lane
    }

    /// The lowest: its memory is warm.
    fn take(&self, among: &Range<usize>) -> Option<usize> {
        for (at, word) in self.free.iter().enumerate().skip(among.start / LANES_IN_WORD) {
            loop {
                let free = word.load(Ordering::Relaxed) & mask(at, among);
                if free == 0 {
                    break;
                }
                let bit = 1 << free.trailing_zeros();
                // What was done in the lane before it was released is over.
                if word.fetch_and(!bit, Ordering::Acquire) & bit != 0 {
                    return Some(at * LANES_IN_WORD + free.trailing_zeros() as usize);
                }
            }
        }
        None
    }

    /// The lane is free again.
    pub(super) fn release(&self, lane: usize) {
        self.in_use.fetch_sub(1, Ordering::Relaxed);
        let bit = 1 << (lane % LANES_IN_WORD);
        self.free[lane / LANES_IN_WORD].fetch_or(bit, Ordering::Release);
        self.released.notify_all();
        fence(Ordering::SeqCst);
        self.rouse_next();
    }

    /// Does something with a lane that is free, and has nobody claim it meanwhile. False where it is not free.
    pub(super) fn lend(&self, lane: usize, with: impl FnOnce()) -> bool {
        let bit = 1 << (lane % LANES_IN_WORD);
        let is_free = self.free[lane / LANES_IN_WORD].fetch_and(!bit, Ordering::Acquire) & bit != 0;
        if is_free {
            with();
            self.set(&self.free, lane);
            // Somebody may have looked in vain.
            fence(Ordering::SeqCst);
            self.rouse_next();
        }
        is_free
    }

    /// The caller has gone; the lane is free when its callee has ended the call, and so is the other that the call has.
    pub(super) fn leave(&self, lane: usize, other: Option<usize>) {
        self.others[lane].store(other.map_or(0, |other| other as u32 + 1), Ordering::Relaxed);
        self.set(&self.left, lane);
        self.left_count.fetch_add(1, Ordering::Release);
        // Whoever waits is to look for it from now on: nobody tells when it comes back.
        fence(Ordering::SeqCst);
        self.rouse_next();
    }

    /// Releases the lanes that were left and have come back. Says whether there are any, for who tells those that wait.
    pub(super) fn take_back(&self, came_back: &dyn Fn(usize) -> bool) -> bool {
        if self.left_count.load(Ordering::Acquire) == 0 {
            return false;
        }
        let mut came = false;
        for (at, word) in self.left.iter().enumerate() {
            let left = word.load(Ordering::Relaxed);
            for bit in (0..LANES_IN_WORD).filter(|bit| left & (1 << bit) != 0) {
                let lane = at * LANES_IN_WORD + bit;
                // Of several that look one has it. While it has, nobody else can free the lane, nor leave it again.
                if word.fetch_and(!(1 << bit), Ordering::AcqRel) & (1 << bit) == 0 {
                    continue;
                }
                if !came_back(lane) {
                    word.fetch_or(1 << bit, Ordering::AcqRel);
                } else {
                    self.left_count.fetch_sub(1, Ordering::Relaxed);
                    came = true;
                    let other = self.others[lane].swap(0, Ordering::Relaxed).checked_sub(1);
                    for lane in [Some(lane), other.map(|other| other as usize)].into_iter().flatten() {
                        self.in_use.fetch_sub(1, Ordering::Relaxed);
                        self.set(&self.free, lane);
                    }
                }
            }
        }
        came
    }

    /// Whoever is next looks again.
    pub(super) fn rouse_next(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            next_of_each(&self.queue.lock());
        }
    }

    /// All who wait look again.
    pub(super) fn rouse(&self) {
        self.queue.lock().iter().for_each(|turn| turn.tell());
    }

    fn set(&self, words: &[AtomicU32], lane: usize) {
        words[lane / LANES_IN_WORD].fetch_or(1 << (lane % LANES_IN_WORD), Ordering::Release);
    }
}

/// The bits of a word that stand for lanes of a range.
fn mask(word: usize, among: &Range<usize>) -> u32 {
    let bit = |lane: usize| lane.saturating_sub(word * LANES_IN_WORD).min(LANES_IN_WORD) as u32;
    let below = |bits: u32| if bits == u32::BITS { u32::MAX } else { (1 << bits) - 1 };
    below(bit(among.end)) & !below(bit(among.start))
}

#[cfg(test)]
mod tests;
