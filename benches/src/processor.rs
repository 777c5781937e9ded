//! Where a thread runs.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Of the processors that a thread may use.
#[derive(Clone, Copy)]
pub(crate) enum Which {
    First,
    Last,
}

/// Keeps this thread to one processor, with all threads and processes that it starts from now on.
pub(crate) fn pin(which: Which) -> nix::Result<()> {
    let this = Pid::from_raw(0);
    let all = sched_getaffinity(this)?;
    let mut usable = (0..CpuSet::count()).filter(|processor| all.is_set(*processor) == Ok(true));
    let processor = match which {
        Which::First => usable.next(),
        Which::Last => usable.next_back(),
    };
    let mut one = CpuSet::new();
    one.set(processor.unwrap_or_default())?;
    sched_setaffinity(this, &one)
}
