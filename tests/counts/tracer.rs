//! Counts the system calls that a test makes between two marks, its threads and processes all together: the test is run once
//! more, in a process of its own, and traced.
#![allow(unsafe_code)]

use std::collections::{BTreeMap, HashMap};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpgid};

/// Set for the process that is traced.
const TRACED: &str = "COFFERDAM_TRACED";
/// No process has such a number, so nothing comes of asking for its group: these are the marks.
const MARKS: [i32; 2] = [0x7fff_fff1, 0x7fff_fff2];

/// Of the host's process and of all others: by number, how many there were.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    pub(crate) host: BTreeMap<u64, u64>,
    pub(crate) provider: BTreeMap<u64, u64>,
}

/// What the traced process was told to do, in that process.
pub(crate) fn told() -> Option<String> {
    std::env::var(TRACED).ok()
}

/// Counting begins here (0), or ends (1).
pub(crate) fn mark(which: usize) {
    getpgid(Some(Pid::from_raw(MARKS[which]))).expect_err("there is no such process");
}

/// Runs the test of this name in another process, which is told `what`, and counts what happens between its marks.
pub(crate) fn count(test: &str, what: &str) -> Counted {
    let mut command = Command::new(std::env::current_exe().expect("a test has a program"));
    command.args(["--exact", test, "--nocapture"]).env(TRACED, what);
    // SAFETY: between fork and exec, one system call, which neither allocates nor locks.
    unsafe { command.pre_exec(|| ptrace::traceme().map_err(Into::into)) };
    #[expect(clippy::zombie_processes, reason = "the tracer waits for it")]
    let child = command.spawn().expect("it starts");
    let mut tracer = Tracer { host: Pid::from_raw(child.id().cast_signed()), ..Tracer::default() };
    while tracer.step() {}
    tracer.counted
}

#[derive(Debug)]
struct Tracer {
    host: Pid,
    /// By thread: whether it is one of the host's.
    sides: HashMap<Pid, bool>,
    counting: bool,
    counted: Counted,
}

impl Default for Tracer {
    fn default() -> Self {
        Self { host: Pid::from_raw(0), sides: HashMap::new(), counting: false, counted: Counted::default() }
    }
}

impl Tracer {
    /// Lets whoever has stopped go on. False when the process has ended, as it should.
    fn step(&mut self) -> bool {
        // Those that other threads of this process have started are not ours.
        let ours = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        let (pid, signal) = match waitpid(Pid::from_raw(-1), Some(ours)).expect("it is traced until it ends") {
            WaitStatus::Exited(pid, code) if pid == self.host => {
                assert_eq!(code, 0, "what is counted succeeds");
                return false;
            }
            WaitStatus::Signaled(pid, signal, _) if pid == self.host => panic!("it was ended by {signal}"),
            WaitStatus::PtraceSyscall(pid) => {
                self.system_call(pid);
                (pid, None)
            }
            WaitStatus::PtraceEvent(pid, ..) => (pid, None),
            // The first of the program, of all threads and processes to come, and nobody else's.
            WaitStatus::Stopped(pid, Signal::SIGTRAP) if self.sides.is_empty() => {
                let all = Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_TRACEFORK | Options::PTRACE_O_TRACEVFORK;
                let options =
                    all | Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACEEXEC | Options::PTRACE_O_EXITKILL;
                ptrace::setoptions(pid, options).expect("it is ours");
                self.sides.insert(pid, true);
                (pid, None)
            }
            WaitStatus::Stopped(pid, Signal::SIGSTOP) => (pid, None),
            WaitStatus::Stopped(pid, signal) => (pid, Some(signal)),
            _ => return true,
        };
        // One that has been killed meanwhile is of no interest.
        let _ = ptrace::syscall(pid, signal);
        true
    }

    fn system_call(&mut self, thread: Pid) {
        let Ok(info) = ptrace::syscall_info(thread) else { return };
        if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
            return;
        }
        // SAFETY: `op` says that it is this one.
        let entry = unsafe { info.u.entry };
        if entry.nr == libc::SYS_getpgid.cast_unsigned() {
            if let Some(which) = MARKS.iter().position(|mark| u64::from(mark.cast_unsigned()) == entry.args[0]) {
                self.counting = which == 0;
            }
        } else if self.counting {
            let host = self.host;
            let is_hosts = *self.sides.entry(thread).or_insert_with(|| process(thread) == Some(host));
            let counts = if is_hosts { &mut self.counted.host } else { &mut self.counted.provider };
            *counts.entry(entry.nr).or_default() += 1;
        }
    }
}

/// Of which process a thread is.
fn process(thread: Pid) -> Option<Pid> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let group = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    group.trim().parse().ok().map(Pid::from_raw)
}
