//! A control group for each process of a provider, where this host may make one: it bounds memory, tasks and processors
//! of all that the process becomes and starts, the kernel's memory among it, from outside and beside its own limits.
//!
//! Version 1 and version 2 of the kernel's interface are both used as they are found; nothing is mounted. Groups are made
//! below the host's own, in one that is named for it (`home.rs`), and nobody else's group is touched (`v2.rs`). A process
//! is in its group before it is told anything, and can't leave it: it sees none of these files.
//!
//! **How it gets there.** Moving a process waits for every processor of the machine, some 10 ms, which is more than all
//! the rest of a start takes. In version 1 a thread can be in another group than its process, and what it starts is born
//! where it is. So the thread that starts processes stands in the next group beforehand, and moves on afterwards, while
//! nobody waits. The kernel never chooses a mere thread when a group has no memory left, and everything that could take
//! memory there is its own. In version 2 the process is moved, and in version 1 into the group of a quota: the thread does not
//! compute by a provider's quota.

mod bounds;
mod delegation;
mod error;
mod files;
mod group;
mod home;
mod place;
mod settings;
#[cfg(test)]
mod tests;
mod v2;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use bounds::Bounds;
pub(super) use error::CgroupError;

pub(super) use group::ControlGroup;

use files::{make, read, write};
use group::Left;
use home::{Owner, sweep};
use place::{Controller, Part, Place};
pub(super) use settings::Counters;
use settings::{Setting, Version};
use v2::{Anchor, Facts};

/// Why there is no group; told to everybody who wanted one.
pub(super) type Reason = Arc<CgroupError>;

/// Makes groups, for one thread that starts processes. That thread makes and drops it.
pub(super) struct ControlGroups {
    version: Version,
    /// In each hierarchy the group that this host was started in.
    own: Vec<Part>,
    /// The same of this host's group, in which its processes get theirs.
    home: Vec<Part>,
    /// Those that were made.
    count: u64,
    /// One that was made and is not used yet.
    next: Option<ControlGroup>,
    /// Those of the last process: the next one is likely to get the same.
    bounds: Option<Bounds>,
    left: Left,
}

impl ControlGroups {
    /// Finds out where groups can be made, and makes the host's own. What dead hosts have left is removed.
    pub(super) fn open() -> Result<Self, CgroupError> {
        let proc = Path::new("/proc/self");
        let place = place::find(&read(&proc.join("cgroup"))?, &read(&proc.join("mountinfo"))?)?;
        let this = Owner::this()?;
        let (version, own) = match place {
            Place::V1(parts) => (Version::V1, parts),
            Place::V2 { own, mount } => {
                let facts = Facts { is_delegated: &delegation::is_delegated, pid: std::process::id() };
                let dir = enable(v2::anchor(&own, &mount, &facts)?, this)?;
                (Version::V2, vec![Part { controllers: Controller::ALL.to_vec(), dir }])
            }
        };
        own.iter().for_each(|part| sweep(&part.dir, this));
        Self::open_in(version, own, this)
    }

    fn open_in(version: Version, own: Vec<Part>, this: Owner) -> Result<Self, CgroupError> {
        let home = within(&own, Path::new(&this.home()));
        let groups = Self { version, own, home, count: 0, next: None, bounds: None, left: Left::default() };
        for Part { controllers, dir } in &groups.home {
            make(dir)?;
            match version {
                // A kernel that was built without weights takes none.
                Version::V1 if controllers.contains(&Controller::Cpu) => {
                    let Setting { file, value, .. } = settings::home_shares(processors());
                    let _ = write(&dir.join(file), &value);
                }
                Version::V1 => {}
                Version::V2 if controllers.is_empty() => {}
                Version::V2 => write(&dir.join("cgroup.subtree_control"), &v2::hand_down())?,
            }
        }
        Ok(groups)
    }

    /// Makes the next group, and stands in it where that is how processes get there. May take 10 ms: nobody is to wait.
    pub(super) fn prepare(&mut self) -> Result<(), CgroupError> {
        self.left.lock().retain(|dir| !files::remove_now(dir));
        if self.next.is_some() {
            return Ok(());
        }
        let group = self.make_next()?;
        let group = self.next.insert(group);
        if let Some(bounds) = self.bounds {
            // What fails now is tried again, and told, when the group is wanted.
            let _ = group.bind(bounds);
        }
        Ok(())
    }

    fn make_next(&mut self) -> Result<ControlGroup, CgroupError> {
        self.count += 1;
        let name = PathBuf::from(self.count.to_string());
        let home = self.home.first().and_then(|part| part.dir.file_name()).unwrap_or_default();
        let (tail, mut parts) = (Path::new(home).join(&name), within(&self.home, &name));
        if self.version == Version::V1 {
            parts.retain(|part| !is_of_processors(part));
        }
        let group = ControlGroup { version: self.version, parts, tail, bounds: None, left: self.left.clone() };
        let made = group.parts.iter().try_for_each(|part| make(&part.dir));
        let entered = made.and_then(|()| if self.version == Version::V1 { stand_in(&group.parts) } else { Ok(()) });
        if entered.is_err() {
            // Before the group is dropped.
            self.step_out();
        }
        entered.map(|()| group)
    }

    /// Sets the bounds of the group in which the next process is going to be, unless it has them already.
    pub(super) fn begin(&mut self, bounds: Bounds) -> Result<(), CgroupError> {
        self.prepare()?;
        self.bounds = Some(bounds);
        let bound = self.bind_next(bounds);
        if bound.is_err() {
            self.discard();
            self.bounds = None;
        }
        bound
    }

    fn bind_next(&mut self, bounds: Bounds) -> Result<(), CgroupError> {
        let Some(group) = &mut self.next else { return Ok(()) };
        let mut has_them = group.bounds == Some(bounds);
        // A hierarchy of its own for processors costs each switch between host and provider some microseconds: only
        // whoever has a quota gets into it.
        if bounds.cpus_milli.is_some() && self.version == Version::V1 {
            let name = PathBuf::from(self.count.to_string());
            for part in within(&self.home, &name).into_iter().filter(is_of_processors) {
                make(&part.dir)?;
                group.parts.push(part);
                has_them = false;
            }
        }
        if has_them { Ok(()) } else { group.bind(bounds) }
    }

    /// Whether a process gets into its group by being started. What is moved there must not have become others before.
    pub(super) fn are_born_in(&self, bounds: Bounds) -> bool {
        self.version == Version::V1 && (bounds.cpus_milli.is_none() || !self.home.iter().any(is_of_processors))
    }

    /// Instead of [`Self::take`], when no process was started. The group goes: its bounds are for nobody else.
    pub(super) fn discard(&mut self) {
        // Before the group is dropped, and whatever is started next is born where the host is.
        self.step_out();
        self.next = None;
    }

    /// The group of a process that was started after [`Self::begin`] and waits to be told what to do.
    pub(super) fn take(&mut self, pid: u32) -> Result<Option<ControlGroup>, CgroupError> {
        let Some(group) = self.next.take() else { return Ok(None) };
        let taken = group.take_in(pid);
        if taken.is_err() {
            // Before the group is dropped.
            self.step_out();
        }
        taken.map(|()| Some(group))
    }

    /// The thread goes back to where the host is.
    fn step_out(&self) {
        // It never leaves the host's group of the processors.
        let own = || self.own.iter().filter(|part| !is_of_processors(part));
        if self.version == Version::V1 && stand_in(own()).is_err() {
            tracing::debug!("a thread of the host could not leave a control group");
        }
    }
}

impl Drop for ControlGroups {
    fn drop(&mut self) {
        self.discard();
        // Groups of processes that are being reaped are removed by whoever does; those that could not be are tried again.
        self.home.iter().for_each(|part| files::remove_if_empty(&part.dir));
    }
}

/// Does what an anchor needs, and returns the group below which others are made.
fn enable(anchor: Anchor, this: Owner) -> Result<PathBuf, CgroupError> {
    let dir = match anchor {
        Anchor::Ready(dir) => return Ok(dir),
        Anchor::Enable(dir) => dir,
        Anchor::MoveOut(dir) => {
            let leaf = dir.join(this.leaf());
            make(&leaf)?;
            write(&leaf.join("cgroup.procs"), &std::process::id().to_string())?;
            dir
        }
    };
    write(&dir.join("cgroup.subtree_control"), &v2::hand_down())?;
    Ok(dir)
}

fn is_of_processors(part: &Part) -> bool {
    part.controllers == [Controller::Cpu]
}

/// Moves this thread, and no other.
fn stand_in<'a>(parts: impl IntoIterator<Item = &'a Part>) -> Result<(), CgroupError> {
    parts.into_iter().try_for_each(|part| write(&part.dir.join("tasks"), "0"))
}

fn within(parts: &[Part], name: &Path) -> Vec<Part> {
    let part = |part: &Part| Part { controllers: part.controllers.clone(), dir: part.dir.join(name) };
    parts.iter().map(part).collect()
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
