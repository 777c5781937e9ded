//! The bounds of actors and calls. Every queue, wait and allocation of the host takes its bound from here.

use std::time::Duration;

/// What one actor may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActorLimits {
    /// Linear memory of one instance, in bytes. A `memory.grow` past it answers -1.
    pub memory_bytes_max: u64,
    /// Entries of one table.
    pub table_elements_max: u32,
    /// Instances at once, which is calls at once; further calls wait for one until their deadline.
    pub instances_max: u32,
    /// Instances that are kept for the next calls, however long they lie idle.
    pub idle_kept: u32,
    /// Beyond those, an instance that lay idle for this long is given back.
    pub idle_max: Duration,
}

impl ActorLimits {
    /// The defaults on a machine with so many processors. An instance is taken for the whole of a call, also while that
    /// waits for a provider: so there may be several for each processor. Kept is what all processors can run at once.
    pub const fn for_processors(processors: u32) -> Self {
        let (most, kept) = (processors.saturating_mul(4), processors);
        Self {
            memory_bytes_max: 64 << 20,
            table_elements_max: 1 << 16,
            instances_max: if most > 64 { most } else { 64 },
            idle_kept: if kept > 4 { kept } else { 4 },
            idle_max: Duration::from_secs(10),
        }
    }
}

impl Default for ActorLimits {
    /// Those of a small machine.
    fn default() -> Self {
        Self::for_processors(1)
    }
}

/// Whether the code of a guest looks at the clock, so that it can be ended at the deadline of its call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metering {
    /// It does.
    #[default]
    On,
    /// It does not: nothing ends it but itself, and it runs on threads apart from its callers.
    Off,
}

/// Calls of one unmetered actor that may run on after their deadline; with so many it is called no more.
pub const RUNAWAYS_OF_ACTOR_MAX: u32 = 4;
/// The same of all unmetered actors of a host together.
pub const RUNAWAYS_OF_HOST_MAX: u32 = 32;

/// The most that the report of a provider's death may hold of each payload in flight.
pub const CRASH_PAYLOAD_BYTES_MAX: u32 = 64 << 10;

/// What one call may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// How long a call from outside may take. A nested call never outlives the call it is part of.
    pub timeout: Duration,
    /// Argument or answer, in bytes.
    pub payload_bytes_max: u32,
    /// Actors on one stack: A -> B -> A is 3.
    pub depth_max: u8,
}

impl Default for CallLimits {
    /// The time-out is the reference's.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(2), payload_bytes_max: 16 << 20, depth_max: 16 }
    }
}

#[cfg(test)]
mod tests {
    use super::ActorLimits;

    #[test]
    fn instances_grow_with_the_processors_of_a_large_machine() {
        for (processors, instances_max, idle_kept) in
            [(1, 64, 4), (4, 64, 4), (5, 64, 5), (16, 64, 16), (17, 68, 17), (128, 512, 128)]
        {
            let limits = ActorLimits::for_processors(processors);
            assert_eq!((limits.instances_max, limits.idle_kept), (instances_max, idle_kept), "{processors} processors");
        }
    }
}
