//! Directories and files of control groups: each act with the error that names it. A file there takes one value by one
//! write, and is never made.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

use super::error::CgroupError;

/// A group whose last process was reaped is free a moment later, and one in which a thread of ours stands once that has
/// moved on.
const PATIENCE: Duration = Duration::from_millis(1);
const TRIES: u32 = 200;

pub(super) fn read(path: &Path) -> Result<String, CgroupError> {
    fs::read_to_string(path).map_err(CgroupError::system("reading", path))
}

pub(super) fn write(path: &Path, value: &str) -> Result<(), CgroupError> {
    let opened = OpenOptions::new().write(true).open(path);
    opened.and_then(|mut file| file.write_all(value.as_bytes())).map_err(CgroupError::system("writing to", path))
}

pub(super) fn make(dir: &Path) -> Result<(), CgroupError> {
    fs::create_dir(dir).map_err(CgroupError::system("making the control group", dir))
}

/// Removes a group that is empty, or is about to be. Blocks for a moment if it has to.
pub(super) fn remove(dir: &Path) {
    for _ in 0..TRIES {
        match fs::remove_dir(dir) {
            Err(error) if error.kind() == ErrorKind::ResourceBusy => {}
            Ok(()) => return,
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            Err(error) => return tracing::debug!(group = %dir.display(), %error, "a control group is left behind"),
        }
        #[expect(clippy::disallowed_methods, reason = "the kernel does not say when a group of version 1 is empty")]
        std::thread::sleep(PATIENCE);
    }
    tracing::debug!(group = %dir.display(), "a control group that is not empty is left behind");
}

/// Removes a group and those in it, if nobody is in any of them.
pub(super) fn remove_if_empty(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
    // One with a process in it stays, as do those above it.
    let _ = fs::remove_dir(dir);
}
