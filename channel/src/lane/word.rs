//! The words that both sides of a lane write, and who may sleep on them: every ordering of the lane tier is here.
//!
//! **A lane's word** tells how far one call is. The caller owns the lane until it says `ASKED`, the callee until it says
//! `ANSWERED`, and then the caller again, so what lies in the lane is ordered by these two alone: a `Release` by whoever
//! lets go, an `Acquire` by whoever takes over. The caller sleeps on the word itself, with the bit `WAITS` in it. The
//! callee ends a call by one swap, whose old value says whether somebody is to be woken: no wake-up is lost, because the
//! bit and the end are changes of one word, and nobody falls asleep on a word that has changed meanwhile.
//!
//! **The bell** says which lanes have been asked and not been taken, one bit for each, and whether the callee sleeps. Those
//! are two words, so each side writes its own first and then looks at the other's, with a `SeqCst` fence between: one of
//! them sees the other. So it is with a callee that runs as many calls as it may, and what makes room again.
//!
//! The code is over a small trait, because the real words lie in shared memory, and loom's can't.

use std::sync::atomic::Ordering;

use crate::Deadline;

/// Nothing is asked; the caller's.
pub(super) const IDLE: u32 = 0;
/// A request lies in the lane; the callee's.
pub(super) const ASKED: u32 = 1;
/// An answer lies in the lane; the caller's.
pub(super) const ANSWERED: u32 = 2;
/// The answer needs more room, and the callee waits for it; the caller's.
pub(super) const MORE: u32 = 3;
/// There is more room, in another lane; the callee's.
pub(super) const GRANTED: u32 = 4;
/// The part of a word that says so.
const STATE: u32 = 0xff;
/// Whose it is not sleeps on the word, or is about to.
const WAITS: u32 = 0x100;
/// The caller has gone.
const GONE: u32 = 0x200;
/// The connection is over, by the caller's word.
const CLOSED: u32 = 0x400;

/// The callee sleeps, and is to be woken for whatever comes.
const SLEEPS: u32 = 1;
/// The callee sleeps, can take no more calls, and is to be woken for who has gone.
const IS_FULL: u32 = 2;

/// A word in shared memory, on which one side can sleep.
pub(super) trait Word {
    /// As an atomic.
    fn load(&self, order: Ordering) -> u32;
    /// As an atomic.
    fn store(&self, value: u32, order: Ordering);
    /// As an atomic.
    fn swap(&self, value: u32, order: Ordering) -> u32;
    /// As an atomic.
    fn fetch_or(&self, bits: u32, order: Ordering) -> u32;
    /// As an atomic.
    fn fetch_and(&self, bits: u32, order: Ordering) -> u32;
    /// Sleeps if the word has this value, until it is woken or the deadline has passed; may return for no reason.
    fn sleep(&self, value: u32, deadline: Deadline);
    /// Wakes whoever sleeps.
    fn wake(&self);
}

/// A fence, real or loom's.
pub(super) trait Fence {
    /// `SeqCst`.
    fn full();
}

/// How far a call is, for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The callee has it, or is about to.
    Asked,
    /// The callee waits for more room.
    More,
    /// The answer is there.
    Answered,
    /// The connection is over.
    Closed,
}

fn progress(word: u32) -> Progress {
    match word {
        word if word & STATE == ANSWERED => Progress::Answered,
        word if word & CLOSED != 0 => Progress::Closed,
        word if word & STATE == MORE => Progress::More,
        // Whatever a hostile callee writes is no answer.
        _ => Progress::Asked,
    }
}

/// The caller: hands the lane over, with the request in it.
pub(super) fn ask(word: &impl Word) {
    // Nobody reads it before the bell says so, and that is a release, too. Here so that it need not be known.
    word.store(ASKED, Ordering::Release);
}

/// The caller: looks.
pub(super) fn look(word: &impl Word) -> Progress {
    progress(word.load(Ordering::Acquire))
}

/// The caller: sleeps until there is something to see, or the deadline has passed. May return early.
pub(super) fn sleep(word: &impl Word, deadline: Deadline) {
    let before = word.fetch_or(WAITS, Ordering::AcqRel);
    if progress(before) == Progress::Asked {
        word.sleep(before | WAITS, deadline);
    }
}

/// The caller: gives the lane back to the callee, with more room for its answer.
pub(super) fn grant(word: &impl Word) {
    if word.swap(GRANTED, Ordering::AcqRel) & WAITS != 0 {
        word.wake();
    }
}

/// The caller: leaves. The lane is the callee's until it has ended the call.
pub(super) fn leave(word: &impl Word) -> Progress {
    let before = word.fetch_or(GONE, Ordering::AcqRel);
    if before & STATE == MORE {
        // It waits for room that nobody is going to give.
        word.wake();
    }
    progress(before)
}

/// The caller: ends the wait of whoever sleeps on the lane, because the callee is no more.
pub(super) fn close(word: &impl Word) {
    word.fetch_or(CLOSED, Ordering::AcqRel);
    word.wake();
}

/// The callee: whether this is a lane that was asked.
pub(super) fn is_asked(word: &impl Word) -> bool {
    word.load(Ordering::Acquire) & STATE == ASKED
}

/// The callee: whether the caller has gone.
pub(super) fn is_given_up(word: &impl Word) -> bool {
    word.load(Ordering::Relaxed) & GONE != 0
}

/// The callee: asks for more room, and sleeps until there is some. False when the caller has gone, or the deadline has
/// passed, or this side has ended. `tell` tells a caller that does not sleep on the word.
pub(super) fn want_more(
    word: &impl Word,
    deadline: Deadline,
    (tell, has_ended): (impl FnOnce(), impl Fn() -> bool),
) -> bool {
    let before = word.swap(MORE, Ordering::AcqRel);
    if before & WAITS != 0 {
        word.wake();
    }
    tell();
    // The swap has taken away what the caller said; it says so for good.
    let mut is_over = before & (GONE | CLOSED) != 0 || has_ended();
    while !is_over {
        let now = word.fetch_or(WAITS, Ordering::AcqRel);
        if now & STATE == GRANTED {
            return true;
        }
        is_over = now & (GONE | CLOSED) != 0 || deadline.expired() || has_ended();
        if !is_over {
            word.sleep(now | WAITS, deadline);
        }
    }
    false
}

/// The callee: hands the lane back, with the answer in it, and wakes whoever waits for it.
pub(super) fn answer(word: &impl Word) {
    if word.swap(ANSWERED, Ordering::AcqRel) & WAITS != 0 {
        word.wake();
    }
}

/// The callee: ends the wait of whoever waits for more room, where this side has ended.
pub(super) fn rouse(word: &impl Word) {
    word.wake();
}

/// The caller: the lane is used no more, until it asks again.
pub(super) fn rest(word: &impl Word) {
    word.store(IDLE, Ordering::Relaxed);
}

/// Which lanes have been asked, and whether the callee sleeps.
pub(super) struct Bell<'a, W> {
    /// 32 lanes a word.
    pub(super) asked: &'a [W],
    /// [`SLEEPS`] or [`IS_FULL`] while the callee sleeps, or is about to.
    pub(super) asleep: &'a W,
}

/// Lanes that one word has bits for.
pub(super) const LANES_IN_WORD: usize = u32::BITS as usize;

impl<W: Word> Bell<'_, W> {
    /// The caller: rings for a lane that it has just asked. Whoever can take no more is not woken.
    pub(super) fn ring<F: Fence>(&self, lane: usize) {
        self.asked[lane / LANES_IN_WORD].fetch_or(1 << (lane % LANES_IN_WORD), Ordering::Release);
        F::full();
        if self.asleep.load(Ordering::Relaxed) == SLEEPS && self.asleep.swap(0, Ordering::Relaxed) != 0 {
            self.asleep.wake();
        }
    }

    /// The caller: rings for who has gone. Whoever sleeps is woken.
    pub(super) fn ring_loudly<F: Fence>(&self, lane: usize) {
        self.ring_and::<F>(lane, || self.asleep.wake());
    }

    /// The same, for somebody who does not sleep on the word.
    pub(super) fn ring_and<F: Fence>(&self, lane: usize, wake: impl FnOnce()) {
        self.asked[lane / LANES_IN_WORD].fetch_or(1 << (lane % LANES_IN_WORD), Ordering::Release);
        self.rouse_and::<F>(wake);
    }

    /// Wakes the callee if it sleeps.
    fn rouse_and<F: Fence>(&self, wake: impl FnOnce()) {
        F::full();
        if self.asleep.load(Ordering::Relaxed) != 0 && self.asleep.swap(0, Ordering::Relaxed) != 0 {
            wake();
        }
    }

    /// Wakes whoever sleeps, whatever the word says: the caller may have taken that back and gone before it woke anybody.
    pub(super) fn rouse_surely(&self) {
        self.asleep.swap(0, Ordering::Relaxed);
        self.asleep.wake();
    }

    /// The callee: there is room for one more. Wakes whoever sleeps because there was none.
    pub(super) fn has_room<F: Fence>(&self) {
        F::full();
        if self.asleep.load(Ordering::Relaxed) == IS_FULL && self.asleep.swap(0, Ordering::Relaxed) != 0 {
            self.asleep.wake();
        }
    }

    /// Says that whoever takes is about to sleep, and is to be woken. False when there is no reason to.
    pub(super) fn fall_asleep<F: Fence>(&self) -> bool {
        // By a swap, as in `sleep_unless`.
        self.asleep.swap(SLEEPS, Ordering::Relaxed);
        F::full();
        let is_rung = self.is_rung();
        if is_rung {
            self.asleep.swap(0, Ordering::Relaxed);
        }
        !is_rung
    }

    /// The caller: takes the ring back. False when the callee has taken the lane.
    pub(super) fn unring(&self, lane: usize) -> bool {
        let bit = 1 << (lane % LANES_IN_WORD);
        self.asked[lane / LANES_IN_WORD].fetch_and(!bit, Ordering::AcqRel) & bit != 0
    }

    /// The callee: takes a lane, the first from `from` on, so that none is passed over for ever.
    pub(super) fn take(&self, from: usize) -> Option<usize> {
        let words = self.asked.len();
        let (first, bit) = ((from / LANES_IN_WORD) % words, from % LANES_IN_WORD);
        // The word with `from` in it comes twice: from that bit on, and at last as a whole.
        (0..=words).find_map(|turn| {
            let at = (first + turn) % words;
            let mask = if turn == 0 { u32::MAX << bit } else { u32::MAX };
            let lane = self.take_in(at, mask)?;
            Some(at * LANES_IN_WORD + lane)
        })
    }

    fn take_in(&self, at: usize, mask: u32) -> Option<usize> {
        let word = &self.asked[at];
        loop {
            let waiting = word.load(Ordering::Relaxed) & mask;
            if waiting == 0 {
                return None;
            }
            let bit = 1 << waiting.trailing_zeros();
            // Another may have taken it, or its caller may have taken it back.
            if word.fetch_and(!bit, Ordering::Acquire) & bit != 0 {
                return Some(waiting.trailing_zeros() as usize);
            }
        }
    }

    /// Whether a lane was asked and not taken.
    pub(super) fn is_rung_for(&self, lane: usize) -> bool {
        self.asked[lane / LANES_IN_WORD].load(Ordering::Relaxed) & (1 << (lane % LANES_IN_WORD)) != 0
    }

    pub(super) fn is_rung(&self) -> bool {
        self.asked.iter().any(|word| word.load(Ordering::Relaxed) != 0)
    }

    /// The callee: sleeps until somebody rings, or the deadline has passed, unless there is another reason to be awake. May
    /// return early.
    pub(super) fn sleep_unless<F: Fence>(&self, deadline: Deadline, is_wanted: impl FnOnce() -> bool) {
        // By swaps, which come after whatever the caller's swap was: a mere store need not, by the model of the language.
        self.asleep.swap(SLEEPS, Ordering::Relaxed);
        F::full();
        if !self.is_rung() && !is_wanted() {
            self.asleep.sleep(SLEEPS, deadline);
        }
        self.asleep.swap(0, Ordering::Relaxed);
    }

    /// The callee: can take no more, and sleeps until it can, or has other reasons to be awake. May return early.
    pub(super) fn sleep_full<F: Fence>(&self, is_wanted: impl FnOnce() -> bool) {
        self.asleep.swap(IS_FULL, Ordering::Relaxed);
        F::full();
        if !is_wanted() {
            self.asleep.sleep(IS_FULL, Deadline::NEVER);
        }
        self.asleep.swap(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
