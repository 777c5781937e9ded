//! Where the control groups of this process are, by what the kernel says of it and of what is mounted. Pure.

use std::path::{Path, PathBuf};

use super::error::CgroupError;

/// What a group is to bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::provider) enum Controller {
    /// Memory.
    Memory,
    /// Processes and threads.
    Pids,
    /// Processors.
    Cpu,
}

impl Controller {
    /// All that are needed.
    pub(super) const ALL: [Self; 3] = [Self::Memory, Self::Pids, Self::Cpu];

    /// As the kernel writes it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Pids => "pids",
            Self::Cpu => "cpu",
        }
    }
}

/// The directory of a group, and what it bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) controllers: Vec<Controller>,
    pub(super) dir: PathBuf,
}

/// The group that this process is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Version 1: a directory for each hierarchy. A thread can be in another group than its process.
    V1(Vec<Part>),
    /// Version 2: one directory for all, and where the groups are mounted.
    V2 { own: PathBuf, mount: PathBuf },
}

/// One line of `/proc/self/mountinfo`.
struct Mount<'a> {
    root: PathBuf,
    point: PathBuf,
    kind: &'a str,
    options: &'a str,
}

/// Finds it, in `/proc/self/cgroup` and `/proc/self/mountinfo`. Where any of the controllers is one of version 1, that
/// one is used: there, version 2 has none for us.
pub(super) fn find(cgroup: &str, mountinfo: &str) -> Result<Place, CgroupError> {
    let mounts: Vec<Mount<'_>> = mountinfo.lines().filter_map(mount).collect();
    let lines: Vec<(&str, &str)> = cgroup.lines().filter_map(membership).collect();
    let mut parts: Vec<Part> = Vec::new();
    for controller in Controller::ALL {
        let is_one = |list: &str| list.split(',').any(|word| word == controller.word());
        let own = lines.iter().find(|(controllers, _)| is_one(controllers));
        let at = own.and_then(|(_, path)| {
            let is_here = |mount: &&Mount<'_>| mount.kind == "cgroup" && is_one(mount.options);
            mounts.iter().filter(is_here).find_map(|mount| mount.directory_of(path))
        });
        let Some(dir) = at else { continue };
        match parts.iter_mut().find(|part| part.dir == dir) {
            Some(part) => part.controllers.push(controller),
            None => parts.push(Part { controllers: vec![controller], dir }),
        }
    }
    if !parts.is_empty() {
        let has = |controller: &Controller| parts.iter().any(|part| part.controllers.contains(controller));
        let missing: Vec<_> = Controller::ALL.into_iter().filter(|controller| !has(controller)).collect();
        return if missing.is_empty() { Ok(Place::V1(parts)) } else { Err(CgroupError::NoController { missing }) };
    }
    let own = lines.iter().find(|(controllers, _)| controllers.is_empty());
    let at = own.and_then(|(_, path)| {
        let mut unified = mounts.iter().filter(|mount| mount.kind == "cgroup2");
        unified.find_map(|mount| Some(Place::V2 { own: mount.directory_of(path)?, mount: mount.point.clone() }))
    });
    at.ok_or(CgroupError::NoController { missing: Controller::ALL.to_vec() })
}

/// Whether `/proc/PID/cgroup` says that the process is in the group whose directory ends like this.
pub(super) fn is_member(cgroup: &str, part: &Part, tail: &Path) -> bool {
    let of_part = |controllers: &str| {
        let version_2 = controllers.is_empty();
        version_2 || part.controllers.iter().all(|one| controllers.split(',').any(|word| word == one.word()))
    };
    cgroup
        .lines()
        .filter_map(membership)
        .any(|(controllers, path)| of_part(controllers) && Path::new(path).ends_with(tail))
}

/// Whether `/proc/PID/stat` says that the process has ended, or is about to: not reaped, or with the kernel's mark that it
/// exits. The second field is a name, which may hold anything.
pub(super) fn is_ending(stat: &str) -> bool {
    const PF_EXITING: u64 = 4;
    let mut fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace()).into_iter().flatten();
    let has_ended = fields.next().is_some_and(|state| matches!(state, "Z" | "X"));
    let flags = fields.nth(5).and_then(|flags| flags.parse::<u64>().ok());
    has_ended || flags.is_some_and(|flags| flags & PF_EXITING != 0)
}

/// `4:memory:/a/b`, or `0::/a/b` of version 2.
fn membership(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.split_once(':')?;
    rest.split_once(':')
}

fn mount(line: &str) -> Option<Mount<'_>> {
    let (front, back) = line.split_once(" - ")?;
    let mut front = front.split(' ').skip(3);
    let (root, point) = (front.next()?, front.next()?);
    let mut back = back.split(' ');
    let (kind, _source, options) = (back.next()?, back.next()?, back.next()?);
    Some(Mount { root: unescaped(root), point: unescaped(point), kind, options })
}

impl Mount<'_> {
    /// Where a group lies in this mount. None where the mount shows another part of the hierarchy.
    fn directory_of(&self, group: &str) -> Option<PathBuf> {
        let below = Path::new(group).strip_prefix(&self.root).ok()?;
        // A process that was moved out of its control-group namespace sees `/../…`.
        let plain = below.components().all(|step| matches!(step, std::path::Component::Normal(_)));
        plain.then(|| if below.as_os_str().is_empty() { self.point.clone() } else { self.point.join(below) })
    }
}

/// The kernel writes blanks and backslashes of paths as three octal digits.
fn unescaped(path: &str) -> PathBuf {
    let mut parts = path.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                plain.push(char::from(byte));
                plain.push_str(&part[3..]);
            }
            None => {
                plain.push('\\');
                plain.push_str(part);
            }
        }
    }
    plain.into()
}

#[cfg(test)]
mod tests;
