//! What the kernel counts of processes, out of `/proc`.

use std::fs;
use std::io;

/// Memory of a process in KiB, pages that others map as well divided among all of them.
pub(crate) fn pss_kib(pid: u32) -> io::Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let value = text.lines().find_map(|line| line.strip_prefix("Pss:")).and_then(|rest| rest.split_whitespace().next());
    value.and_then(|kib| kib.parse().ok()).ok_or_else(|| io::Error::other("smaps_rollup has no Pss"))
}

/// Processes whose parent is this one.
pub(crate) fn children() -> io::Result<Vec<u32>> {
    let own = std::process::id();
    let processes = fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(processes.filter(|pid| stat(*pid).is_some_and(|stat| stat.parent == own)).collect())
}

/// What all these processes have used of the processors, by the kernel's clock for this: usually 10 ms each.
pub(crate) fn ticks(pids: &[u32]) -> io::Result<u64> {
    let gone = |pid| io::Error::other(format!("process {pid} has gone"));
    pids.iter().map(|pid| stat(*pid).map(|stat| stat.ticks).ok_or_else(|| gone(pid))).sum()
}

/// How often a thread of theirs stopped running, of its own will or not.
pub(crate) fn switches(pids: &[u32]) -> io::Result<u64> {
    let mut all = 0;
    for pid in pids {
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            let status = fs::read_to_string(thread?.path().join("status"))?;
            let counts = status.lines().filter(|line| line.contains("ctxt_switches"));
            all += counts.filter_map(|line| line.rsplit_once(char::is_whitespace)?.1.parse::<u64>().ok()).sum::<u64>();
        }
    }
    Ok(all)
}

struct Stat {
    parent: u32,
    ticks: u64,
}

/// None for a process that has gone.
fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may hold anything, brackets too. What follows begins with the third field.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat { parent: u32::try_from(number(4)?).ok()?, ticks: number(14)? + number(15)? })
}

#[cfg(test)]
mod tests {
    use super::{children, pss_kib, switches, ticks};

    #[test]
    fn this_process_has_used_something() {
        let own = std::process::id();
        assert!(pss_kib(own).unwrap() > 100.0);
        assert!(switches(&[own]).unwrap() > 0);
        ticks(&[own]).unwrap();
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        assert!(children().unwrap().contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
