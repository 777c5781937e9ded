//! Control groups, by the kernel's word and past the host's: where a process is, and what bounds it there.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::artifacts;

/// Where they are mounted, everywhere.
const MOUNT: &str = "/sys/fs/cgroup";

/// What bounds one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Memory, with the kernel's.
    pub memory_bytes: Option<u64>,
    /// Processes and threads.
    pub tasks: Option<u64>,
    /// How many times it was made to wait because its time in a period was used up.
    pub throttled: Option<u64>,
}

/// Whether a host of this user gives control groups to its providers here; what it takes to is said otherwise.
pub async fn may_be_made() -> bool {
    let diagnosis = cofferdam_host::diagnose(Some(&artifacts::shim())).await.expect("a shim can be asked");
    let missing = diagnosis.measures.iter().find(|measure| measure.measure == "control group" && !measure.in_force);
    if let Some(missing) = missing {
        eprintln!("NOT TESTED: {}", missing.how_to_get_it.as_deref().unwrap_or_default());
    }
    missing.is_none()
}

/// What the kernel says of a process's group.
pub fn bounds_of(pid: u32) -> Bounds {
    let number = |controller: &str, files: [&str; 2]| {
        let dir = group_of(&pid.to_string(), controller)?;
        let text = files.iter().find_map(|file| fs::read_to_string(dir.join(file)).ok())?;
        text.trim().parse().ok()
    };
    let throttled = || {
        let stat = fs::read_to_string(group_of(&pid.to_string(), "cpu")?.join("cpu.stat")).ok()?;
        stat.lines().find_map(|line| line.strip_prefix("nr_throttled "))?.parse().ok()
    };
    Bounds {
        memory_bytes: number("memory", ["memory.limit_in_bytes", "memory.max"]),
        tasks: number("pids", ["pids.max", "pids.max"]),
        throttled: throttled(),
    }
}

/// What a process has used of the processors.
pub fn processor_time(pid: u32) -> Duration {
    const TICKS_PER_S: u64 = 100;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let fields = stat.rsplit_once(')').expect("there is a name").1.split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).map(|field| field.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 1000 / TICKS_PER_S)
}

/// The groups that hosts of a process have made, and those in them.
pub fn groups_of_hosts_in(pid: u32) -> Vec<PathBuf> {
    let mark = format!("-{pid}-");
    let is_a_hosts = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with("cofferdam-") && name.contains(&mark)
    };
    let own: Vec<PathBuf> = ["memory", "pids", "cpu"].iter().filter_map(|one| group_of("self", one)).collect();
    let homes = own.iter().flat_map(|dir| children(dir)).filter(is_a_hosts);
    homes.flat_map(|home| children(&home).into_iter().chain([home])).collect()
}

fn children(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// The directory of the group that a process is in.
fn group_of(pid: &str, controller: &str) -> Option<PathBuf> {
    let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let lines: Vec<(&str, &str)> = cgroup.lines().filter_map(|line| line.split_once(':')?.1.split_once(':')).collect();
    let is_one = |list: &str| list.split(',').any(|word| word == controller);
    let own = lines.iter().find(|(list, _)| is_one(list)).or_else(|| lines.iter().find(|(list, _)| list.is_empty()));
    let (list, path) = own?;
    Some(Path::new(MOUNT).join(list).join(path.trim_start_matches('/')))
}
