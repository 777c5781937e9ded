//! The group of one host, in which it makes those of its processes: its name, and what earlier hosts have left.
//!
//! The name says which process it is for, so that nothing of anybody else is ever taken for ours, and nothing of a host
//! that lives is removed. Removing is all that is done to what was left: no process is moved or killed by it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::error::CgroupError;
use super::files;

const PREFIX: &str = "cofferdam";

/// Where a host of version 2 goes itself.
const LEAF: &str = "host";

/// Hosts of this process so far.
static HOSTS: AtomicU64 = AtomicU64::new(0);

/// Which process a group is for. A pid alone comes again, and is another process in another namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pid_namespace: u64,
    pid: u32,
    /// In ticks since the machine was started.
    born: u64,
}

/// What the kernel says of a pid now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// A process that was born then.
    Born(u64),
    /// No process.
    Nobody,
    /// Some process, about which it says nothing.
    Somebody,
}

impl Owner {
    /// This process.
    pub(super) fn this() -> Result<Self, CgroupError> {
        let namespace = Path::new("/proc/self/ns/pid");
        let pid_namespace = fs::metadata(namespace).map_err(CgroupError::system("looking at", namespace))?.ino();
        let path = Path::new("/proc/self/stat");
        let born = born(&files::read(path)?).ok_or_else(|| {
            CgroupError::system("understanding", path)(std::io::Error::other("it has no time of birth"))
        })?;
        Ok(Self { pid_namespace, pid: std::process::id(), born })
    }

    /// The group for one more host of this process.
    pub(super) fn home(self) -> String {
        self.named(HOSTS.fetch_add(1, Ordering::Relaxed))
    }

    /// The group for the process itself.
    pub(super) fn leaf(self) -> String {
        self.named(LEAF)
    }

    fn named(self, last: impl std::fmt::Display) -> String {
        let Self { pid_namespace, pid, born } = self;
        format!("{PREFIX}-{pid_namespace}-{pid}-{born}-{last}")
    }

    /// Whose group it is, by its name.
    fn of(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix(PREFIX)?.strip_prefix('-')?.split('-');
        let owner = Self {
            pid_namespace: parts.next()?.parse().ok()?,
            pid: parts.next()?.parse().ok()?,
            born: parts.next()?.parse().ok()?,
        };
        let last = parts.next()?;
        let is_ours = last == LEAF || last.bytes().all(|byte| byte.is_ascii_digit());
        (is_ours && parts.next().is_none()).then_some(owner)
    }

    /// Whether it is certain that the process has ended. Of another pid namespace nothing is known.
    fn is_gone(self, of: Self, found: Found) -> bool {
        let is_other = match found {
            Found::Born(born) => born != of.born,
            Found::Nobody => true,
            Found::Somebody => false,
        };
        self.pid_namespace == of.pid_namespace && is_other
    }
}

impl Found {
    fn by(pid: u32) -> Self {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok();
        match stat.as_deref().and_then(born) {
            Some(born) => Self::Born(born),
            // With `hidepid` a stranger's can't be read. Whom we may not signal is there.
            None => Self::by_signal(pid),
        }
    }

    fn by_signal(pid: u32) -> Self {
        let asked = i32::try_from(pid).map(|pid| kill(Pid::from_raw(pid), None));
        if asked == Ok(Err(Errno::ESRCH)) { Self::Nobody } else { Self::Somebody }
    }
}

/// Removes what hosts have left in a group that did not end by themselves.
pub(super) fn sweep(group: &Path, this: Owner) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        let Some(owner) = entry.file_name().to_str().and_then(Owner::of) else { continue };
        if this.is_gone(owner, Found::by(owner.pid)) {
            let left: PathBuf = entry.path();
            files::remove_if_empty(&left);
            tracing::debug!(group = %left.display(), "removed the control groups of a host that is gone");
        }
    }
}

/// The 22nd field of a process's `stat`. Its second is a name, which may hold anything.
fn born(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_back_to_its_host() {
        let owner = Owner { pid_namespace: 4_026_531_836, pid: 4711, born: 99 };
        assert_eq!(Owner::of(&owner.home()), Some(owner));
        assert_eq!(Owner::of(&owner.leaf()), Some(owner));
        assert_ne!(owner.home(), owner.home(), "each host has a group of its own");
        for name in [
            "cofferdam",
            "cofferdam-1-2-3",
            "cofferdam-1-2-3-x",
            "cofferdam-1-2-3-4-5",
            "cofferdam-1-2-x-4",
            "docker-1-2-3-4",
            "cofferdam-1-2--4",
            "cofferdamx-1-2-3-4",
        ] {
            assert_eq!(Owner::of(name), None, "{name}");
        }
    }

    #[test]
    fn only_who_is_gone_for_certain_is_gone() {
        let this = Owner { pid_namespace: 1, pid: 4, born: 50 };
        let dead = Owner { pid_namespace: 1, pid: 7, born: 99 };
        for (of, found, expected) in [
            (dead, Found::Nobody, true),
            (dead, Found::Born(100), true),
            (dead, Found::Born(99), false),
            (dead, Found::Somebody, false),
            (Owner { pid_namespace: 2, ..dead }, Found::Nobody, false),
        ] {
            assert_eq!(this.is_gone(of, found), expected, "{of:?} {found:?}");
        }
        let this = Owner::this().expect("there is a /proc");
        assert!(!this.is_gone(this, Found::by(this.pid)), "who asks lives");
    }

    #[test]
    fn who_cant_be_read_is_asked_for_by_a_signal() {
        // No kernel has so many processes. A pid that is none, and 0, which is the group of whoever asks, say nothing.
        const NOBODY: u32 = 1 << 30;
        for (pid, expected) in [
            (std::process::id(), Found::Somebody),
            (1, Found::Somebody),
            (NOBODY, Found::Nobody),
            (u32::MAX, Found::Somebody),
            (0, Found::Somebody),
        ] {
            assert_eq!(Found::by_signal(pid), expected, "{pid}");
        }
        assert_eq!(Found::by(NOBODY), Found::Nobody);
        let stat = |born: u64| format!("7 (a) b ( c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 {born} 20 21");
        assert_eq!((born(&stat(99)), born("7 (x) S")), (Some(99), None));
    }
}
