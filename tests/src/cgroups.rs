//! Control groups, by the kernel's word and past the host's: where a process is, and what bounds it there.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::unistd::geteuid;

use crate::artifacts;

/// Where they are mounted, everywhere.
const MOUNT: &str = "/sys/fs/cgroup";

/// What bounds a provider.
const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];

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

/// Whether a host of this user gives control groups to its providers here; what it takes to is said otherwise. Where root
/// can make them by hand, a host that says it can't is wrong.
pub async fn may_be_made() -> bool {
    let diagnosis = cofferdam_host::diagnose(Some(&artifacts::shim())).await.expect("a shim can be asked");
    let missing = diagnosis.measures.iter().find(|measure| measure.measure == "control group" && !measure.in_force);
    if let Some(missing) = missing {
        let why = missing.how_to_get_it.as_deref().unwrap_or_default();
        assert!(!root_makes_them_by_hand(), "the host makes no control group, and could: {why}");
        eprintln!("NOT TESTED: {why}");
    }
    missing.is_none()
}

/// By two plain system calls in version 1. Of version 2 this says nothing: who may do it there is the host's to find out.
fn root_makes_them_by_hand() -> bool {
    static TRIES: AtomicU64 = AtomicU64::new(0);
    let name = format!("test-of-cofferdam-{}-{}", std::process::id(), TRIES.fetch_add(1, Ordering::Relaxed));
    let works = |controller| {
        let (list, path) = membership("self", controller).filter(|(list, _)| !list.is_empty())?;
        let dir = directory(&list, &path).join(&name);
        fs::create_dir(&dir).and_then(|()| fs::remove_dir(&dir)).ok()
    };
    geteuid().is_root() && CONTROLLERS.into_iter().all(|controller| works(controller).is_some())
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

/// How many groups a host of this process has that runs so many providers without a quota: in each hierarchy its own, one
/// for each provider, and the next, which is there beforehand; where processors are apart, its own alone.
pub fn due(providers: usize) -> usize {
    let mut lists: Vec<(String, String)> = CONTROLLERS.into_iter().filter_map(|one| membership("self", one)).collect();
    lists.dedup();
    let are_apart = |list: &str| !list.is_empty() && !list.split(',').any(|one| one == "memory" || one == "pids");
    lists.iter().map(|(list, _)| if are_apart(list) { 1 } else { providers + 2 }).sum()
}

/// The groups that hosts of a process have made, and those in them.
pub fn groups_of_hosts_in(pid: u32) -> Vec<PathBuf> {
    let mark = format!("-{pid}-");
    let is_a_hosts = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with("cofferdam-") && name.contains(&mark)
    };
    let own: Vec<PathBuf> = CONTROLLERS.into_iter().filter_map(|one| group_of("self", one)).collect();
    let homes = own.iter().flat_map(|dir| children(dir)).filter(is_a_hosts);
    homes.flat_map(|home| children(&home).into_iter().chain([home])).collect()
}

fn children(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// The directory of the group that a process is in.
fn group_of(pid: &str, controller: &str) -> Option<PathBuf> {
    membership(pid, controller).map(|(list, path)| directory(&list, &path))
}

fn directory(list: &str, path: &str) -> PathBuf {
    Path::new(MOUNT).join(list).join(path.trim_start_matches('/'))
}

/// The controllers of the hierarchy that has this one, none in version 2, and the group there.
fn membership(pid: &str, controller: &str) -> Option<(String, String)> {
    let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let lines: Vec<(&str, &str)> = cgroup.lines().filter_map(|line| line.split_once(':')?.1.split_once(':')).collect();
    let is_one = |list: &str| list.split(',').any(|word| word == controller);
    let own = lines.iter().find(|(list, _)| is_one(list)).or_else(|| lines.iter().find(|(list, _)| list.is_empty()));
    own.map(|(list, path)| ((*list).to_owned(), (*path).to_owned()))
}
