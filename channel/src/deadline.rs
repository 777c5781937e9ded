//! A point on `CLOCK_MONOTONIC`, shared by every process of one machine.
//!
//! Host and shim run in the same time namespace, so a deadline travels as a plain number and means the same instant on
//! both sides. `std::time::Instant` has no public number, which is the only reason this type exists.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// A moment in nanoseconds since the boot of the machine. `Deadline::NEVER` is past any uptime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline {
    monotonic_ns: u64,
}

impl Deadline {
    /// The end of time: for waits whose end is an event that is certain to come.
    pub const NEVER: Self = Self { monotonic_ns: u64::MAX };

    /// This very moment.
    pub fn now() -> Self {
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("CLOCK_MONOTONIC exists on every Linux");
        let (seconds, nanos) = (now.tv_sec().unsigned_abs(), now.tv_nsec().unsigned_abs());
        Self { monotonic_ns: seconds * 1_000_000_000 + nanos }
    }

    /// The moment `timeout` from now.
    pub fn after(timeout: Duration) -> Self {
        Self::now().plus(timeout)
    }

    /// The moment `duration` after this one.
    pub fn plus(self, duration: Duration) -> Self {
        let duration_ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self { monotonic_ns: self.monotonic_ns.saturating_add(duration_ns) }
    }

    /// The moment `duration` before this one, or the first there is.
    pub fn minus(self, duration: Duration) -> Self {
        let duration_ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self { monotonic_ns: self.monotonic_ns.saturating_sub(duration_ns) }
    }

    /// The deadline that a number from the wire states. A peer may state any number: clamp it with [`Deadline::min`].
    pub const fn from_monotonic_ns(monotonic_ns: u64) -> Self {
        Self { monotonic_ns }
    }

    /// The number that goes on the wire.
    pub const fn as_monotonic_ns(self) -> u64 {
        self.monotonic_ns
    }

    /// The time left, zero when it has passed.
    pub fn remaining(self) -> Duration {
        self.since(Self::now())
    }

    /// The time from `earlier` to this moment, zero when it lies after it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.monotonic_ns.saturating_sub(earlier.monotonic_ns))
    }

    /// Whether it has passed.
    pub fn expired(self) -> bool {
        self <= Self::now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_counts_down_and_never_wraps() {
        let soon = Deadline::after(Duration::from_secs(60));
        assert!(!soon.expired() && soon.remaining() <= Duration::from_secs(60));
        assert!(Deadline::from_monotonic_ns(1).expired());
        assert_eq!(Deadline::from_monotonic_ns(1).remaining(), Duration::ZERO);
        assert_eq!(Deadline::after(Duration::MAX), Deadline::NEVER);
    }
}
