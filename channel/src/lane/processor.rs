//! Where threads run, and how long it pays to look for what another does.

use std::time::Duration;

use nix::sched::sched_getcpu;

use crate::patience::Habit;

/// How both sides of a lane wait for each other on two processors: for as long as being woken takes on one that slept, and
/// where that is mostly in vain, for as long as a short call takes.
pub(super) const HABIT: Habit =
    Habit { long: Duration::from_micros(100), short: Duration::from_micros(4), looks: 16, pauses: 1 };

/// The one that this thread runs on, and may leave at any moment.
pub(super) fn processor() -> Option<u32> {
    sched_getcpu().ok().and_then(|processor| u32::try_from(processor).ok())
}
