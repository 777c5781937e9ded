//! The group of one process, in each hierarchy that has one.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::bounds::Bounds;
use super::error::CgroupError;
use super::files::{self, read, write};
use super::is_of_processors;
use super::place::{self, Controller, Part};
use super::settings::{self, Counters, Setting, Version};

/// Groups that could not be removed when their processes had ended, as far as the host could see. They are tried again.
pub(super) type Left = Arc<Mutex<Vec<PathBuf>>>;

/// The group of one process. Dropping it removes it, once the process has ended and was reaped.
#[derive(Debug)]
pub(in crate::provider) struct ControlGroup {
    pub(super) version: Version,
    pub(super) parts: Vec<Part>,
    /// The last two steps of its path, by which a member is known.
    pub(super) tail: PathBuf,
    pub(super) bounds: Option<Bounds>,
    pub(super) left: Left,
}

impl ControlGroup {
    pub(super) fn bind(&mut self, bounds: Bounds) -> Result<(), CgroupError> {
        self.bounds = None;
        for Part { controllers, dir } in &self.parts {
            for Setting { file, value, needed } in
                controllers.iter().flat_map(|one| settings::settings(self.version, *one, &bounds))
            {
                match write(&dir.join(file), &value) {
                    Err(error) if needed => return Err(error),
                    Ok(()) | Err(_) => {}
                }
            }
        }
        self.bounds = Some(bounds);
        Ok(())
    }

    /// The process is there, by the kernel's word, or was when it ended.
    pub(super) fn take_in(&self, pid: u32) -> Result<(), CgroupError> {
        self.hold(pid).or_else(|error| {
            // The kernel shows one that is ending in no group, and moves it no more.
            let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
            if stat.is_ok_and(|stat| place::is_ending(&stat)) { Ok(()) } else { Err(error) }
        })
    }

    fn hold(&self, pid: u32) -> Result<(), CgroupError> {
        // It waits to be told what to do, so it has one thread, and has started nothing that would stay behind.
        let to_move = self.parts.iter().filter(|part| self.version == Version::V2 || is_of_processors(part));
        for Part { dir, .. } in to_move {
            write(&dir.join("cgroup.procs"), &pid.to_string())?;
        }
        let cgroup = read(Path::new(&format!("/proc/{pid}/cgroup")))?;
        match self.parts.iter().find(|part| !place::is_member(&cgroup, part, &self.tail)) {
            Some(part) => Err(CgroupError::Elsewhere { pid, group: part.dir.clone() }),
            None => Ok(()),
        }
    }

    pub(in crate::provider) const fn bounds(&self) -> Option<Bounds> {
        self.bounds
    }

    /// What the kernel has counted of it so far.
    pub(in crate::provider) fn counters(&self) -> Counters {
        let (events, peak) = settings::counter_files(self.version);
        let memory = self.parts.iter().find(|part| part.controllers.contains(&Controller::Memory));
        let text = |file: &str| memory.and_then(|part| fs::read_to_string(part.dir.join(file)).ok());
        settings::counters(text(events).as_deref(), text(peak).as_deref())
    }
}

impl fmt::Display for ControlGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = match self.version {
            Version::V1 => 1,
            Version::V2 => 2,
        };
        write!(f, "version {version}, with {}", Controller::ALL.map(Controller::word).join(", "))
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        let left = self.parts.iter().map(|part| &part.dir).filter(|dir| !files::remove(dir));
        let left: Vec<PathBuf> = left.cloned().collect();
        self.left.lock().extend(left);
    }
}
