//! Processes: signals to them, and what one holds.

use std::fmt::Write as _;
use std::future::Future;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::rig::LONG;

/// Set in a process that runs one test alone.
const ALONE: &str = "COFFERDAM_TEST_ALONE";

/// Sends a signal.
pub fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("process ids are small"));
    kill(pid, signal).expect("the process is there to be signalled");
}

/// Whether the process is there; one that has ended and waits for its parent is not.
pub fn lives(pid: u32) -> bool {
    stat(&Path::new("/proc").join(pid.to_string())).is_some_and(|(state, _)| state != 'Z')
}

/// What the present process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Processes whose parent it is, those that have ended among them.
    pub children: usize,
    /// Open descriptors.
    pub descriptors: usize,
    /// Threads.
    pub threads: usize,
}

impl Held {
    /// Now.
    pub fn now() -> Self {
        let entries = |path: &str| std::fs::read_dir(path).expect("/proc is there").count();
        let own = std::process::id();
        let processes = std::fs::read_dir("/proc").expect("/proc is there").flatten();
        let children = processes.filter(|process| stat(&process.path()).is_some_and(|(_, parent)| parent == own));
        Self { children: children.count(), descriptors: entries("/proc/self/fd"), threads: entries("/proc/self/task") }
    }

    /// Whether it holds no more than `other` of anything.
    pub fn is_within(self, other: Self) -> bool {
        self.children <= other.children && self.descriptors <= other.descriptors && self.threads <= other.threads
    }
}

/// What the present process has in memory.
pub fn memory_bytes() -> u64 {
    in_status(std::process::id(), "VmRSS:")
}

/// The most that a process had in memory at once, so far.
pub fn memory_bytes_peak(pid: u32) -> u64 {
    in_status(pid, "VmHWM:")
}

fn in_status(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let value = status.lines().find_map(|line| line.strip_prefix(name)).expect("it says so");
    let kib: u64 = value.trim().trim_end_matches(" kB").parse().expect("a number");
    kib << 10
}

/// State and parent of a process.
fn stat(process: &Path) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(process.join("stat")).ok()?;
    // The name before it may hold anything, brackets too.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// Waits until something is so.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < LONG, "waited in vain for: {what}\nthreads:\n{}", threads());
        tokio::task::yield_now().await;
    }
}

/// What the threads of this process and those of its children do, by the kernel's word: for a test that waits in vain.
fn threads() -> String {
    let own = std::process::id();
    let processes = std::fs::read_dir("/proc").expect("/proc is there").flatten().map(|process| process.path());
    let ours = processes
        .filter(|process| process.ends_with(own.to_string()) || stat(process).is_some_and(|(_, parent)| parent == own));
    let mut lines = String::new();
    for task in ours.flat_map(|process| std::fs::read_dir(process.join("task")).into_iter().flatten().flatten()) {
        let read = |file: &str| std::fs::read_to_string(task.path().join(file)).unwrap_or_default();
        let (name, wchan, call) = (read("comm"), read("wchan"), read("syscall"));
        let state = stat(&task.path()).map_or('?', |(state, _)| state);
        let _ = writeln!(lines, "{} {state} {:15} {wchan:24} {}", task.path().display(), name.trim(), call.trim());
    }
    lines
}

/// Runs a test in a process of its own, because it counts what the process holds, or looks at all its temporary files, or
/// because it is to die.
pub fn alone<F: Future<Output = ()>>(name: &str, test: impl FnOnce() -> F) {
    if std::env::var_os(ALONE).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            // Idle threads are not to look like leaked ones.
            .thread_keep_alive(Duration::from_millis(1))
            .build()
            .expect("a runtime can be made");
        return runtime.block_on(test());
    }
    let mut child = Command::new(std::env::current_exe().expect("a test knows its own program"));
    // Build here, if at all: the child is told that it has been done.
    crate::artifacts::programs();
    let folder = tempfile::tempdir().expect("a temporary directory");
    child
        .args([name, "--exact", "--nocapture"])
        .env(ALONE, "1")
        .env("COFFERDAM_BUILT", "1")
        .env("TMPDIR", folder.path());
    let status = child.status();
    assert!(status.expect("a test can be run again").success(), "{name} failed in its own process, see above");
}
