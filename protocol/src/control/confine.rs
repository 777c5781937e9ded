//! What a shim is to give up, and what it keeps.

use super::Dir;
use crate::codec::{Decode, Encode};

/// How a shim confines itself, before it opens anything foreign.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Confine {
    /// What to do about measures that this machine lacks.
    pub sandbox: Sandbox,
    /// Who to become, when started by root.
    pub identity: Option<Identity>,
    /// The directories that it keeps.
    pub dirs: Vec<Dir>,
    /// What it keeps of the network.
    pub network: Network,
    /// What it may use up.
    pub limits: ResourceLimits,
}

/// What to do about measures that this machine lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Sandbox {
    /// End.
    Required,
    /// Go on, and say in the hello what is in force.
    BestEffort,
    /// Take none but the basic ones.
    Off,
}

/// A user of the host's system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Identity {
    /// Never 0.
    pub uid: u32,
    /// Never 0.
    pub gid: u32,
}

/// What a shim keeps of the network.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Network {
    /// An empty one: sockets come from the host.
    None,
    /// The host's, for libraries that open sockets themselves, with these TCP ports. UDP is not bounded.
    Host {
        /// Ports it may bind.
        bind: Vec<u16>,
        /// Ports it may connect to.
        connect: Vec<u16>,
    },
}

/// What a shim may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ResourceLimits {
    /// Private writable memory.
    pub memory_bytes: u64,
    /// Threads.
    pub threads: u32,
    /// Open descriptors.
    pub files: u32,
    /// The size of a file it writes.
    pub file_bytes: u64,
    /// Seconds of a processor, of one process. The greatest number is any.
    pub cpu_s: u64,
}
