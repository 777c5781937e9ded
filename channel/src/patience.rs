//! Whether to look for a while before sleeping, and for how long.
//!
//! Waking a sleeper on another processor costs several times what a short call takes, so whoever expects something at once
//! looks for it before it sleeps. It only goes on doing so while that pays: each look in vain makes the next ones rarer,
//! and one that pays makes them frequent again. While nothing comes nobody looks.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::Deadline;

/// Looks in vain before one long look in `2^VAIN_MAX` waits is all that is left.
const VAIN_MAX: u32 = 8;

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
    skip: AtomicU32,
}

impl Patience {
    pub(crate) const fn new(habit: Habit) -> Self {
        Self { habit, vain: AtomicU32::new(0), skip: AtomicU32::new(0) }
    }

    /// What was found does not count any more: things have changed.
    pub(crate) fn begin_anew(&self) {
        self.vain.store(0, Ordering::Relaxed);
        self.skip.store(0, Ordering::Relaxed);
    }

    fn found(&self) {
        // Others read it all the time.
        if self.vain.load(Ordering::Relaxed) != 0 {
            self.vain.store(0, Ordering::Relaxed);
        }
    }

    /// Looks for a while. None when that was in vain, or is not worth it now.
    pub(crate) fn look<T>(&self, find: impl FnMut() -> Option<T>) -> Option<T> {
        self.look_beyond(Duration::ZERO, find)
    }

    /// The same for what takes so much longer.
    pub(crate) fn look_beyond<T>(&self, more: Duration, mut find: impl FnMut() -> Option<T>) -> Option<T> {
        let skip = self.skip.load(Ordering::Relaxed);
        let time = if skip == 0 { self.habit.long + more } else { self.habit.short };
        if skip > 0 {
            self.skip.store(skip - 1, Ordering::Relaxed);
        }
        if time.is_zero() {
            return None;
        }
        let until = Deadline::after(time);
        loop {
            for _ in 0..self.habit.looks {
                if let Some(found) = find() {
                    self.found();
                    return Some(found);
                }
                (0..self.habit.pauses).for_each(|_| std::hint::spin_loop());
            }
            if until.expired() {
                break;
            }
        }
        if skip == 0 {
            let vain = (self.vain.load(Ordering::Relaxed) + 1).min(VAIN_MAX);
            self.vain.store(vain, Ordering::Relaxed);
            self.skip.store((1 << vain) - 1, Ordering::Relaxed);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_in_vain_gets_rare_and_one_find_makes_it_frequent() {
        let patience =
            Patience::new(Habit { long: Duration::from_micros(1), short: Duration::ZERO, looks: 1, pauses: 1 });
        let mut looked = 0;
        for _ in 0..10_000 {
            let mut first = true;
            patience.look(|| {
                looked += u32::from(std::mem::take(&mut first));
                None::<()>
            });
        }
        assert_eq!(looked, 46, "1 + 2 + 4 ... waits are skipped, and then 255 each time");
        patience.begin_anew();
        assert_eq!(patience.look(|| Some(7)), Some(7));
        assert_eq!(patience.look(|| Some(8)), Some(8), "nothing is skipped after a find");
    }
}
