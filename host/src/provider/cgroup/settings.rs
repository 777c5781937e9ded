//! What is written into the files of a group, and what is read in them when its process has ended. Pure.

use super::bounds::{Bounds, PERIOD_US};
use super::place::Controller;

/// Which kernel interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// One file of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) file: &'static str,
    pub(super) value: String,
    /// Whether the group is worth nothing without it. The rest is not on every kernel.
    pub(super) needed: bool,
}

/// What is known of a group that has done its work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::provider) struct Counters {
    /// How many of its processes the kernel killed for want of memory.
    pub(in crate::provider) oom_kills: u64,
    /// The most memory that was held for it at once.
    pub(in crate::provider) memory_bytes_peak: Option<u64>,
}

/// The settings of one controller, in the order in which the kernel takes them.
pub(super) fn settings(version: Version, controller: Controller, bounds: &Bounds) -> Vec<Setting> {
    let setting = |file, value: String, needed| Setting { file, value, needed };
    let memory = bounds.memory_bytes.min(i64::MAX as u64).to_string();
    match (version, controller) {
        (Version::V1, Controller::Memory) => vec![
            setting("memory.limit_in_bytes", memory.clone(), true),
            // With swap: what is over the limit is not to go there.
            setting("memory.memsw.limit_in_bytes", memory, false),
        ],
        (Version::V2, Controller::Memory) => vec![
            setting("memory.max", memory, true),
            setting("memory.swap.max", "0".to_owned(), false),
            // A provider without its init, or an init without its provider, is of no use.
            setting("memory.oom.group", "1".to_owned(), false),
        ],
        (_, Controller::Pids) => vec![setting("pids.max", bounds.tasks.to_string(), true)],
        (version, Controller::Cpu) => match (version, bounds.quota_us()) {
            // A group is as boundless as it was made.
            (_, None) => Vec::new(),
            (Version::V1, Some(quota)) => vec![
                setting("cpu.cfs_period_us", PERIOD_US.to_string(), true),
                setting("cpu.cfs_quota_us", quota.to_string(), true),
            ],
            (Version::V2, Some(quota)) => vec![setting("cpu.max", format!("{quota} {PERIOD_US}"), true)],
        },
    }
}

/// How much of the processors all providers with a quota together get, where threads of the host want them, too. Version 1 weighs
/// groups against single threads: there they count as one thread on each processor for each of these.
pub(super) fn home_shares(processors: usize) -> Setting {
    const SHARES_OF_A_THREAD: u64 = 1024;
    const SHARES_MAX: u64 = 1 << 18;
    let shares = (SHARES_OF_A_THREAD * THREADS_OF_THE_HOST * processors as u64).min(SHARES_MAX);
    Setting { file: "cpu.shares", value: shares.to_string(), needed: false }
}

/// As many threads of the host may want a processor at once without getting more of it than all providers.
const THREADS_OF_THE_HOST: u64 = 4;

/// Where the counters of a group of processes are.
pub(super) const fn counter_files(version: Version) -> (&'static str, &'static str) {
    match version {
        Version::V1 => ("memory.oom_control", "memory.max_usage_in_bytes"),
        Version::V2 => ("memory.events", "memory.peak"),
    }
}

/// Reads them. What an older kernel does not say is left out.
pub(super) fn counters(events: Option<&str>, peak: Option<&str>) -> Counters {
    let killed = |line: &str| line.strip_prefix("oom_kill ").and_then(|number| number.trim().parse().ok());
    Counters {
        oom_kills: events.and_then(|events| events.lines().find_map(killed)).unwrap_or(0),
        memory_bytes_peak: peak.and_then(|peak| peak.trim().parse().ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(version: Version, bounds: &Bounds) -> Vec<String> {
        let of = |controller| settings(version, controller, bounds);
        let all = Controller::ALL.into_iter().flat_map(of);
        all.map(|Setting { file, value, needed }| format!("{file}={value}{}", if needed { "" } else { "?" })).collect()
    }

    #[test]
    fn both_versions_are_told_the_same() {
        let bounds = |cpus_milli| Bounds { memory_bytes: 1000, tasks: 20, cpus_milli };
        let cases: &[(Version, Option<u32>, &[&str])] = &[
            (Version::V1, None, &["memory.limit_in_bytes=1000", "memory.memsw.limit_in_bytes=1000?", "pids.max=20"]),
            (Version::V2, None, &["memory.max=1000", "memory.swap.max=0?", "memory.oom.group=1?", "pids.max=20"]),
            (Version::V1, Some(500), &["pids.max=20", "cpu.cfs_period_us=100000", "cpu.cfs_quota_us=50000"]),
            (Version::V2, Some(2500), &["pids.max=20", "cpu.max=250000 100000"]),
        ];
        for (version, cpus_milli, expected) in cases {
            let found = lines(*version, &bounds(*cpus_milli));
            assert!(found.ends_with(&expected.iter().map(|&line| line.to_owned()).collect::<Vec<_>>()), "{found:?}");
        }
        let boundless = Bounds { memory_bytes: u64::MAX, ..bounds(None) };
        assert_eq!(lines(Version::V2, &boundless)[0], "memory.max=9223372036854775807", "the kernel takes no more");
        assert_eq!(home_shares(2).value, "8192");
        assert_eq!(home_shares(1000).value, "262144", "the kernel takes no more");
    }

    #[test]
    fn counters_are_read_from_both_versions() {
        let of = |oom_kills, memory_bytes_peak| Counters { oom_kills, memory_bytes_peak };
        let cases: &[(Option<&str>, Option<&str>, Counters)] = &[
            (Some("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"), Some("4096\n"), of(2, Some(4096))),
            (Some("low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\noom_group_kill 1\n"), None, of(1, None)),
            (Some("low 0\nhigh 0\nmax 9\noom 1\noom_kill 0\n"), Some("max\n"), of(0, None)),
            (Some("oom_kill -1\n"), Some(""), of(0, None)),
            (None, None, of(0, None)),
        ];
        for (events, peak, expected) in cases {
            assert_eq!(counters(*events, *peak), *expected, "{events:?} {peak:?}");
        }
    }
}
