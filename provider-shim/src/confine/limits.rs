//! What this process may use up. A control group of the host's bounds it from outside, where the host may make one;
//! these hold everywhere.

use std::fs;

use cofferdam_channel::protocol::control::ResourceLimits;
use nix::sys::resource::{Resource, setrlimit};

use super::{Act, failed};

/// Address space beyond the memory: what allocators and thread stacks reserve and never touch, and the libraries.
/// Shared memory counts only here.
const ADDRESS_SPACE_BEYOND: u64 = 8 << 30;

/// Processes of this user and namespace that are not the provider's threads: init.
const INIT: u64 = 1;

/// When memory is short, the kernel ends a provider before the host.
pub(super) fn prefer_for_oom() -> Act {
    fs::write("/proc/self/oom_score_adj", "500").map_err(failed("writing oom_score_adj"))
}

/// Sets them, soft and hard alike but for time, so that they can't be raised again.
pub(super) fn set(limits: &ResourceLimits) -> Act {
    let ResourceLimits { memory_bytes, threads, files, file_bytes, cpu_s } = *limits;
    // A second later it is killed; until then the signal tells why.
    setrlimit(Resource::RLIMIT_CPU, cpu_s, cpu_s.saturating_add(1)).map_err(failed("setrlimit(CPU)"))?;
    let table = [
        ("setrlimit(DATA)", Resource::RLIMIT_DATA, memory_bytes),
        ("setrlimit(AS)", Resource::RLIMIT_AS, memory_bytes.saturating_add(ADDRESS_SPACE_BEYOND)),
        ("setrlimit(NPROC)", Resource::RLIMIT_NPROC, u64::from(threads) + INIT),
        ("setrlimit(NOFILE)", Resource::RLIMIT_NOFILE, files.into()),
        ("setrlimit(FSIZE)", Resource::RLIMIT_FSIZE, file_bytes),
        // Pages that are locked can't be given to anybody else.
        ("setrlimit(MEMLOCK)", Resource::RLIMIT_MEMLOCK, 0),
        // Kernel memory: message queues and waiting signals.
        ("setrlimit(MSGQUEUE)", Resource::RLIMIT_MSGQUEUE, 0),
        ("setrlimit(SIGPENDING)", Resource::RLIMIT_SIGPENDING, 256),
        // Nobody gets in front of the host.
        ("setrlimit(NICE)", Resource::RLIMIT_NICE, 0),
        ("setrlimit(RTPRIO)", Resource::RLIMIT_RTPRIO, 0),
    ];
    table.into_iter().try_for_each(|(act, resource, value)| setrlimit(resource, value, value).map_err(failed(act)))
}
