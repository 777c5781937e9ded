//! The processes of one shim: the one that was started, and those it becomes when it confines itself. All of them are
//! children of the host and in one process group, so that none is missed whatever becomes of the others. What runs in
//! them can leave the group neither by itself (no system call for it is let through) nor with the host's help.

use std::io;

use cofferdam_channel::protocol::Confinement;
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, getpgid};

use super::cgroup::{ControlGroup, Counters};
use super::exit::Exit;

/// The duty to end and reap them. Dropping it does both, for whoever had the duty may have gone.
#[derive(Debug)]
pub(super) struct Group {
    /// Who leads the group, or led it: the number stays taken while one of the group lives or is not reaped. None when
    /// nothing is left to do.
    leader: Option<Pid>,
    /// What bounds them from outside. After the duty, for it is removed when it is empty.
    control_group: Option<ControlGroup>,
}

impl Group {
    /// `pid` was started as the first of a new group.
    pub(super) fn led_by(pid: u32) -> io::Result<Self> {
        let pid = i32::try_from(pid).map_err(io::Error::other)?;
        Ok(Self { leader: Some(Pid::from_raw(pid)), control_group: None })
    }

    /// Hands the duty on.
    pub(super) const fn take(&mut self) -> Self {
        Self { leader: self.leader.take(), control_group: self.control_group.take() }
    }

    /// Whether nothing is left to do.
    pub(super) const fn is_done(&self) -> bool {
        self.leader.is_none()
    }

    /// They are in this control group, and so is whatever they start.
    pub(super) fn bounded_by(&mut self, control_group: Option<ControlGroup>) {
        self.control_group = control_group;
    }

    /// What confines them: what they say themselves, and the control group, of which they can say nothing.
    pub(super) fn confined_by(&self, said: Confinement) -> Confinement {
        let said = said.without(Confinement::CONTROL_GROUP);
        if self.control_group.is_some() { said | Confinement::CONTROL_GROUP } else { said }
    }

    /// The control group, for people.
    pub(super) fn control_group_in_words(&self) -> Option<String> {
        self.control_group.as_ref().map(ToString::to_string)
    }

    /// What the kernel counted of their control group.
    pub(super) fn counters(&self) -> Counters {
        self.control_group.as_ref().map(ControlGroup::counters).unwrap_or_default()
    }

    /// Why they ended, if it was for want of memory: their limit.
    pub(super) fn out_of_memory(&self) -> Option<Exit> {
        let bounds = self.control_group.as_ref()?.bounds()?;
        (self.counters().oom_kills > 0).then_some(Exit::OutOfMemory { limit_bytes: bounds.memory_bytes })
    }

    pub(super) fn leader(&self) -> u32 {
        self.leader.map_or(0, |pid| pid.as_raw().cast_unsigned())
    }

    /// Whether a process is one of them, alive or not reaped.
    pub(super) fn has(&self, pid: Pid) -> bool {
        self.leader.is_some() && getpgid(Some(pid)).ok() == self.leader && is_our_child(pid)
    }

    /// Ends them. Those that have ended already are no error.
    pub(super) fn kill(&self) {
        if let Some(leader) = self.leader {
            // Nobody is left to be ended: that is what was wanted.
            let _ = killpg(leader, Signal::SIGKILL);
        }
    }

    /// Reaps the leader if it has ended, as it does when it became others.
    pub(super) fn reap_leader(&self) {
        if let Some(leader) = self.leader {
            let _ = waitid(Id::Pid(leader), WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG);
        }
    }

    /// Reaps all of them, and says how the first ended that did not end well. Blocks until the last has ended.
    pub(super) fn reap(mut self) -> Option<Exit> {
        let out_of_memory = self.out_of_memory();
        let ended = self.wait_for_all();
        out_of_memory.or(ended)
    }

    fn wait_for_all(&mut self) -> Option<Exit> {
        let leader = self.leader.take()?;
        let mut worst = None;
        loop {
            match waitid(Id::PGid(leader), WaitPidFlag::WEXITED) {
                Ok(status) => worst = worst.or_else(|| bad(&status)),
                Err(Errno::EINTR) => {}
                Err(_) => return worst,
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.leader.is_some() {
            self.kill();
            self.wait_for_all();
        }
    }
}

/// An end that says something: not the good one, and not the one by our own hand.
fn bad(status: &WaitStatus) -> Option<Exit> {
    match Exit::from_status(status) {
        Exit::Code(0) | Exit::Signal(Signal::SIGKILL) | Exit::Unknown => None,
        exit => Some(exit),
    }
}

fn is_our_child(pid: Pid) -> bool {
    waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT).is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;

    #[expect(clippy::zombie_processes, reason = "the group reaps it")]
    fn start(program: &str) -> (Group, Pid) {
        let child = Command::new("/bin/sh").args(["-c", program]).process_group(0).spawn().unwrap();
        (Group::led_by(child.id()).unwrap(), Pid::from_raw(child.id().cast_signed()))
    }

    #[test]
    fn a_group_that_nobody_takes_is_ended_and_reaped() {
        let (group, pid) = start("sleep 1000");
        assert!(group.has(pid));
        drop(group);
        assert!(!is_our_child(pid), "it was reaped already");
    }

    #[test]
    fn the_end_that_says_something_is_told() {
        for (program, worst) in [
            ("exit 0", None),
            ("exit 71", Some(Exit::Code(71))),
            ("kill -ABRT $$", Some(Exit::Signal(Signal::SIGABRT))),
        ] {
            assert_eq!(start(program).0.reap(), worst, "{program}");
        }
    }

    #[test]
    fn a_stranger_is_not_one_of_them() {
        let (group, _) = start("sleep 1000");
        let (other, stranger) = start("sleep 1000");
        assert!(!group.has(stranger) && other.has(stranger));
        assert!(!group.has(Pid::from_raw(1)) && !group.has(Pid::this()));
    }
}
