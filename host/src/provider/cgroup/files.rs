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

/// Removes a group that is empty, or is about to be. Blocks for a moment if it has to. False when it is still there.
pub(super) fn remove(dir: &Path) -> bool {
    for _ in 0..TRIES {
        if remove_now(dir) {
            return true;
        }
        #[expect(clippy::disallowed_methods, reason = "the kernel does not say when a group of version 1 is empty")]
        std::thread::sleep(PATIENCE);
    }
    tracing::warn!(group = %dir.display(), "a control group can't be removed yet: something in it does not end");
    false
}

/// The same, at once or not at all.
pub(super) fn remove_now(dir: &Path) -> bool {
    match fs::remove_dir(dir) {
        Ok(()) => true,
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
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
