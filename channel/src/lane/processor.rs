//! Where threads run, and how long it pays to look for what another does.

use std::time::Duration;

use nix::sched::sched_getcpu;

use crate::patience::Habit;

/// How both sides of a lane wait for each other on two processors: for as long as being woken takes on one that slept, and
/// where that is mostly in vain, for as long as a short call takes.
pub(super) const HABIT: Habit =
    Habit { long: Duration::from_micros(100), short: Duration::from_micros(4), looks: 16, pauses: 1 };

/// Beyond this it does not matter whether somebody has to be woken.
const COPYING_MAX: Duration = Duration::from_millis(1);

/// What the other side takes to copy so many bytes: some 4 GB a second, from another processor's cache and to it.
pub(super) fn copying(bytes: usize) -> Duration {
    Duration::from_nanos(bytes as u64 / 4).min(COPYING_MAX)
}

/// The one that this thread runs on, and may leave at any moment.
pub(super) fn processor() -> Option<u32> {
    sched_getcpu().ok().and_then(|processor| u32::try_from(processor).ok())
}
