//! When a transfer is tried again, and how long is waited before. Pure, but for [`Attempts::again`], which waits.

use std::time::Duration;

use rand::Rng as _;

use crate::error::Fault;
use crate::progress::Progress;

/// How often and how soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first among them.
    pub attempts_max: u32,
    /// The pause before the second attempt. Each further one is twice as long.
    pub first_pause: Duration,
    /// No pause is longer.
    pub pause_max: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        let (first_pause, pause_max) = (Duration::from_millis(200), Duration::from_secs(5));
        Self { attempts_max: 5, first_pause, pause_max }
    }
}

impl RetryPolicy {
    /// The pause after this many failures; `spread`, from 0 to 1, takes up to half of it away, so that hosts which lost
    /// one registry together do not come back together.
    pub fn pause(&self, failures: u32, spread: f64) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.first_pause.saturating_mul(doubled).min(self.pause_max).mul_f64(1.0 - spread.clamp(0.0, 1.0) / 2.0)
    }

    pub(crate) fn begin(self) -> Attempts {
        Attempts { policy: self, failures: 0 }
    }
}

/// How often something was tried.
pub(crate) struct Attempts {
    policy: RetryPolicy,
    failures: u32,
}

impl Attempts {
    /// Waits before the next attempt, or gives the fault back if there is to be none.
    pub(crate) async fn again(&mut self, fault: Fault, progress: &dyn Progress) -> Result<(), Fault> {
        self.failures += 1;
        if !fault.may_pass() || self.failures >= self.policy.attempts_max {
            return Err(fault);
        }
        let pause = self.policy.pause(self.failures, rand::rng().random());
        tracing::debug!(%fault, ?pause, failures = self.failures, "trying again");
        progress.again(&fault.to_string(), pause);
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let policy = RetryPolicy::default();
        let pauses = [1, 2, 3, 5, 6, 99].map(|failures| policy.pause(failures, 0.0).as_millis());
        assert_eq!(pauses, [200, 400, 800, 3200, 5000, 5000]);
        assert_eq!(policy.pause(1, 1.0).as_millis(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_may_pass_is_tried_again() {
        for (status, expected) in [(503, 4), (429, 4), (408, 4), (400, 0), (404, 0)] {
            let mut attempts = RetryPolicy::default().begin();
            let mut pauses = 0;
            while attempts.again(Fault::Status { status, said: String::new() }, &Silent).await.is_ok() {
                pauses += 1;
            }
            assert_eq!(pauses, expected, "{status}");
        }
        let mut attempts = RetryPolicy::default().begin();
        assert!(attempts.again(Fault::Unauthorized { said: String::new() }, &Silent).await.is_err());
    }
}
