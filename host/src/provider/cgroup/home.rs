//! The group of one host, in which it makes those of its processes: its name, and what earlier hosts have left.
//!
//! The name says which process it is for, so that nothing of anybody else is ever taken for ours, and nothing of a host
//! that lives is removed. Removing is all that is done to what was left: no process is moved or killed by it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

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

    /// Whether it is certain that the process has ended. `stat` is what the kernel says of the process that has this pid
    /// now. Of another pid namespace nothing is known.
    fn is_gone(self, of: Self, stat: Option<&str>) -> bool {
        let lives = stat.and_then(born).is_some_and(|born| born == of.born);
        self.pid_namespace == of.pid_namespace && !lives
    }
}

/// Removes what hosts have left in a group that did not end by themselves.
pub(super) fn sweep(group: &Path, this: Owner) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        let Some(owner) = entry.file_name().to_str().and_then(Owner::of) else { continue };
        let stat = fs::read_to_string(format!("/proc/{}/stat", owner.pid)).ok();
        if this.is_gone(owner, stat.as_deref()) {
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
        let stat = |born: u64| format!("7 (a) b ( c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 {born} 20 21");
        let (same, other) = (stat(99), stat(100));
        for (of, stat, expected) in [
            (dead, None, true),
            (dead, Some(&*other), true),
            (dead, Some(&*same), false),
            (dead, Some("7 (x) S"), true),
            (Owner { pid_namespace: 2, ..dead }, None, false),
        ] {
            assert_eq!(this.is_gone(of, stat), expected, "{of:?} {stat:?}");
        }
        let this = Owner::this().expect("there is a /proc");
        let stat = fs::read_to_string("/proc/self/stat").expect("there is a /proc");
        assert!(!this.is_gone(this, Some(&stat)), "who asks lives");
    }
}
