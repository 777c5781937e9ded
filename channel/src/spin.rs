//! Whether to look a few times before sleeping.
//!
//! Waking a sleeper on another core costs several times what a short call takes, so a reader that expects an answer at
//! once looks for it before it sleeps. It only goes on doing so while that pays: each look in vain makes the next ones
//! rarer, until they cost nothing, and one that pays makes them frequent again. While nothing comes nobody spins.

use std::time::Duration;

use crate::Deadline;

/// How long to look before sleeping: about what sleeping and being woken costs.
const BUDGET: Duration = Duration::from_micros(20);
/// Looks in vain before one in `2^VAIN_MAX` waits is all that is left.
const VAIN_MAX: u32 = 10;
/// Between two looks, each of which is a system call.
const PAUSES: u32 = 30;

/// Remembers what spinning was worth.
#[derive(Debug, Default)]
pub(crate) struct Spin {
    vain: u32,
    skip: u32,
}

impl Spin {
    /// Calls `look` until it finds something or the time is up, or does not look at all.
    pub(crate) fn find<T>(&mut self, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        let until = Deadline::after(BUDGET);
        loop {
            if let Some(found) = look() {
                self.vain = 0;
                return Some(found);
            }
            if until.expired() {
                break;
            }
            (0..PAUSES).for_each(|_| std::hint::spin_loop());
        }
        self.vain = (self.vain + 1).min(VAIN_MAX);
        self.skip = (1 << self.vain) - 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_in_vain_gets_rare_and_one_find_makes_it_frequent() {
        let mut spin = Spin::default();
        let mut looked = 0;
        for _ in 0..10_000 {
            let mut first = true;
            spin.find(|| {
                looked += u32::from(std::mem::take(&mut first));
                None::<()>
            });
        }
        assert_eq!(looked, 18, "1 + 2 + 4 ... waits are skipped, and then 1023 each time");
        spin.skip = 0;
        assert_eq!(spin.find(|| Some(7)), Some(7));
        assert_eq!(spin.find(|| Some(8)), Some(8), "nothing is skipped after a find");
    }
}
