//! Whether to look for a while before sleeping, and for how long.
//!
//! Waking a sleeper on another processor costs several times what a short call takes, so whoever expects something at once
//! looks for it before it sleeps. It only goes on doing so while that pays: after each look in vain the next one has to wait
//! for twice as long, and one that pays ends that. So what is looked away in vain is a small part of any processor's time,
//! and after a pause in which nobody called, which says nothing of the calls to come, there is looking again at once.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::Deadline;

/// After so many looks in vain the time to the next grows no more: one part of looking, 256 of not.
const VAIN_MAX: u32 = 8;

/// In this time somebody who was woken on another processor runs.
pub(crate) const WAKE: Duration = Duration::from_micros(60);

/// How long to look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habit {
    /// While it pays.
    pub(crate) long: Duration,
    /// While it does not.
    pub(crate) short: Duration,
    /// Looks between two looks at the clock.
    pub(crate) looks: u32,
    /// Between two looks, by the processor's count of pauses.
    pub(crate) pauses: u32,
}

/// Remembers what looking was worth, for all who wait for the same.
#[derive(Debug)]
pub(crate) struct Patience {
    habit: Habit,
    vain: AtomicU32,
    /// No long look before: a [`Deadline`]. 0 while looking pays.
    not_before: AtomicU64,
}

impl Patience {
    pub(crate) const fn new(habit: Habit) -> Self {
        Self { habit, vain: AtomicU32::new(0), not_before: AtomicU64::new(0) }
    }

    /// What was found does not count any more: things have changed.
    pub(crate) fn begin_anew(&self) {
        // Others read them all the time.
        if self.not_before.load(Ordering::Relaxed) != 0 {
            self.not_before.store(0, Ordering::Relaxed);
            self.vain.store(0, Ordering::Relaxed);
        }
    }

    /// Looks for a while. None when that was in vain, or is not worth it now.
    pub(crate) fn look<T>(&self, find: impl FnMut() -> Option<T>) -> Option<T> {
        self.look_beyond(Duration::ZERO, || true, find)
    }

    /// The same for what takes so much longer. Once the other side has had the time to wake up, `is_awake` says whether it
    /// has: if not, it may be waiting for this very processor, and there is nothing to look for.
    pub(crate) fn look_beyond<T>(
        &self,
        more: Duration,
        is_awake: impl Fn() -> bool,
        mut find: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        let began = Deadline::now();
        let is_long = self.may_look_long(began);
        let time = if is_long { self.habit.long + more } else { self.habit.short };
        if time.is_zero() {
            return None;
        }
        let until = began.plus(time);
        loop {
            for _ in 0..self.habit.looks {
                if let Some(found) = find() {
                    self.begin_anew();
                    return Some(found);
                }
                (0..self.habit.pauses).for_each(|_| std::hint::spin_loop());
            }
            let now = Deadline::now();
            if now.since(began) >= WAKE && !is_awake() {
                return None;
            }
            if until <= now {
                if is_long {
                    self.was_in_vain(now);
                }
                return None;
            }
        }
    }

    fn may_look_long(&self, now: Deadline) -> bool {
        self.not_before.load(Ordering::Relaxed) <= now.as_monotonic_ns()
    }

    /// Others may look at the same time: what they find out is found out once or twice, which is as good.
    fn was_in_vain(&self, now: Deadline) {
        let vain = (self.vain.load(Ordering::Relaxed) + 1).min(VAIN_MAX);
        self.vain.store(vain, Ordering::Relaxed);
        self.not_before.store(now.plus(self.habit.long * (1 << vain)).as_monotonic_ns(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HABIT: Habit = Habit { long: Duration::from_micros(1), short: Duration::ZERO, looks: 1, pauses: 1 };

    #[test]
    fn looking_in_vain_gets_rare() {
        let patience = Patience::new(HABIT);
        let begin = Deadline::now();
        let mut looked = 0;
        for micros in 0..10_000 {
            let now = begin.plus(Duration::from_micros(micros));
            if patience.may_look_long(now) {
                looked += 1;
                patience.was_in_vain(now);
            }
        }
        assert_eq!(looked, 46, "after 2, 4, 8 ... microseconds, and then after 256 each time");
    }

    #[test]
    fn a_pause_or_one_find_ends_that() {
        let patience = Patience::new(Habit { long: Duration::from_secs(1), ..HABIT });
        let now = Deadline::now();
        (0..20).for_each(|_| patience.was_in_vain(now));
        assert_eq!(patience.look(|| Some(7)), None, "not yet");
        assert!(patience.may_look_long(now.plus(Duration::from_secs(256))), "what was long ago counts no more");
        patience.begin_anew();
        assert_eq!(patience.look(|| Some(7)), Some(7));
        assert!(patience.may_look_long(Deadline::now()), "what is found is looked for again");
    }

    #[test]
    fn nobody_is_waited_for_who_waits_for_this_processor() {
        let patience = Patience::new(Habit { long: Duration::from_secs(1000), ..HABIT });
        assert_eq!(patience.look_beyond(Duration::ZERO, || false, || None::<()>), None, "and the test ends");
        assert!(patience.may_look_long(Deadline::now()), "it was not in vain");
    }
}
