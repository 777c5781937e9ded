//! What a group may use up in all, from what a process may use up by itself. Pure.
//!
//! The limits of the process (`RLIMIT_DATA`, `RLIMIT_NPROC`) answer first, with an error that a library can handle. The
//! group's lie above them, so that no honest provider meets them: they bound what the process's limits don't count.

use cofferdam_channel::protocol::control::ResourceLimits;

/// Whatever the memory: pages of libraries, tables of a few descriptors, buffers.
const MEMORY_BYTES_BEYOND: u64 = 64 << 20;

/// One part in so many more: page tables, and files that were written and are not on the disk yet.
const MEMORY_PART_BEYOND: u64 = 8;

/// A thread's stack in the kernel, twice as much as it is, for what else the kernel keeps of it.
const THREAD_BYTES: u64 = 32 << 10;

/// Tasks that are none of the provider's threads: the process that was started, the first of the pid namespace, and the
/// host's thread that starts processes, for the moment that it is there.
const TASKS_BEYOND: u64 = 4;

/// How long a period of the quota is, as everywhere.
pub(super) const PERIOD_US: u64 = 100_000;

/// What one group may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// All memory that is held for its processes, the kernel's and that of files among it.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub tasks: u64,
    /// Thousandths of one processor; none is as much as is free.
    pub cpus_milli: Option<u32>,
}

impl Bounds {
    /// For a process with these limits of its own.
    pub(in crate::provider) fn of(limits: &ResourceLimits, cpus_milli: Option<u32>) -> Self {
        let (memory, threads) = (limits.memory_bytes, u64::from(limits.threads));
        let beyond = memory / MEMORY_PART_BEYOND + MEMORY_BYTES_BEYOND + threads * THREAD_BYTES;
        Self { memory_bytes: memory.saturating_add(beyond), tasks: threads + TASKS_BEYOND, cpus_milli }
    }

    /// How long all of its tasks together may compute in one period, in µs.
    pub(super) fn quota_us(self) -> Option<u64> {
        self.cpus_milli.map(|milli| u64::from(milli) * PERIOD_US / 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_groups_bounds_lie_above_the_processs() {
        let limits =
            |memory_bytes, threads| ResourceLimits { memory_bytes, threads, files: 0, file_bytes: 0, cpu_s: 0 };
        for (memory, threads, expected_mib, expected_tasks) in [
            (1 << 30, 512, 1024 + 128 + 64 + 16, 516),
            (32 << 20, 32, 32 + 4 + 64 + 1, 36),
            (u64::MAX, 32, u64::MAX >> 20, 36),
        ] {
            let bounds = Bounds::of(&limits(memory, threads), None);
            assert_eq!((bounds.memory_bytes >> 20, bounds.tasks), (expected_mib, expected_tasks));
            assert!(bounds.memory_bytes >= memory && bounds.tasks > u64::from(threads));
        }
        // The kernel takes no quota below 1 ms.
        for (milli, expected) in
            [(None, None), (Some(10), Some(1000)), (Some(500), Some(50_000)), (Some(1500), Some(150_000))]
        {
            assert_eq!(Bounds::of(&limits(1, 1), milli).quota_us(), expected);
        }
    }
}
