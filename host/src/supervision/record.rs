//! What is remembered of a provider's deaths, and what follows from it: another start, how soon, or a hold. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Attempt, End, Hold};
use crate::words::{Deadline, Restart, RestartBudget, RestartPolicy};

/// The deaths of a provider, as far as they still matter.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    /// When it crashed, as many as the budget counts.
    crashes: VecDeque<Deadline>,
    /// Restarts since it was last healthy.
    in_a_row: u32,
    /// Tries that failed since it was first held.
    probes_failed: u32,
}

/// What follows from a death.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    Restart {
        delay: Duration,
    },
    Hold {
        why: Hold,
        /// When one start is tried; never if none.
        cool_down: Option<Duration>,
    },
}

impl Record {
    /// The last process was ready for long enough.
    pub(super) fn was_healthy(&mut self) {
        self.in_a_row = 0;
    }

    /// Takes one death in.
    pub(super) fn died(
        &mut self,
        (attempt, end): (Attempt, End),
        now: Deadline,
        policy: &RestartPolicy,
        jitter: f64,
    ) -> Verdict {
        let for_ever = |why| Verdict::Hold { why, cool_down: None };
        match (policy.restart, end) {
            (Restart::Never, _) => return for_ever(Hold::Never),
            (Restart::OnFailure, End::Clean) => return for_ever(Hold::Finished),
            (Restart::OnFailure, End::Crash) | (Restart::Always, _) => {}
        }
        if attempt == Attempt::Probe {
            self.probes_failed = self.probes_failed.saturating_add(1);
            let why = Hold::Probe { failed: self.probes_failed };
            return Verdict::Hold { why, cool_down: Some(self.cool_down(policy, jitter)) };
        }
        if let Some(count) = self.used_up(now, policy) {
            let why = Hold::Crashes { count, window: policy.window };
            return Verdict::Hold { why, cool_down: Some(self.cool_down(policy, jitter)) };
        }
        let delay = match self.in_a_row {
            0 => Duration::ZERO,
            again => spread(doubled(policy.first_delay, again - 1).min(policy.delay_max), jitter),
        };
        self.in_a_row = self.in_a_row.saturating_add(1);
        Verdict::Restart { delay }
    }

    /// Counts a crash. The number of them, when that is more than the budget bears.
    fn used_up(&mut self, now: Deadline, policy: &RestartPolicy) -> Option<u32> {
        let RestartBudget::Crashes(budget) = policy.budget else { return None };
        let budget = budget.clamp(1, RestartBudget::CRASHES_MAX);
        self.crashes.push_back(now);
        while self.crashes.front().is_some_and(|crash| now.since(*crash) >= policy.window) {
            self.crashes.pop_front();
        }
        let count = u32::try_from(self.crashes.len()).unwrap_or(u32::MAX);
        (count >= budget).then_some(count)
    }

    fn cool_down(&self, policy: &RestartPolicy, jitter: f64) -> Duration {
        spread(doubled(policy.cool_down, self.probes_failed).min(policy.cool_down_max), jitter)
    }
}

fn doubled(time: Duration, times: u32) -> Duration {
    time.saturating_mul(1 << times.min(20))
}

/// A quarter longer at most, so that what fell together does not rise together.
fn spread(time: Duration, jitter: f64) -> Duration {
    time.mul_f64(1.0 + jitter / 4.0)
}
