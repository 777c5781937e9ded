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
}

impl Default for ActorLimits {
    fn default() -> Self {
        Self { memory_bytes_max: 64 << 20, table_elements_max: 1 << 16, instances_max: 64 }
    }
}

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
