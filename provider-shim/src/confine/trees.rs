//! Mounts as descriptors: taken from one place and put at another, without a path in between that could be swapped.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;

use super::{Act, failed};

/// A copy of a mount with all below it, that is mounted nowhere.
pub(super) struct Tree(OwnedFd);

/// What may be done with what lies in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rights {
    /// Read and map as code.
    Execute,
    /// Read.
    Read,
    /// Read and write.
    Write,
}

const HERE: libc::c_int = libc::AT_FDCWD;

impl Tree {
    /// Copies what is mounted at `path`. Needs to be root, or in a mount namespace of its own.
    pub(super) fn copy(path: &Path) -> io::Result<Self> {
        let path = c_path(path)?;
        let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | libc::AT_RECURSIVE as libc::c_uint;
        // SAFETY: the path is a C string that lives until the call returns.
        let raw = Errno::result(unsafe { libc::syscall(libc::SYS_open_tree, HERE, path.as_ptr(), flags) })?;
        // SAFETY: the kernel has just made this descriptor for us.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(i32::try_from(raw).map_err(io::Error::other)?) }))
    }

    /// Takes away all but these rights, for the whole tree, and for good.
    pub(super) fn restrict(&self, rights: Rights) -> Act {
        let mut attributes = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
        if rights != Rights::Write {
            attributes |= libc::MOUNT_ATTR_RDONLY;
        }
        if rights != Rights::Execute {
            attributes |= libc::MOUNT_ATTR_NOEXEC;
        }
        // SAFETY: a `mount_attr` of zeros is a good one that changes nothing.
        let mut wanted: libc::mount_attr = unsafe { std::mem::zeroed() };
        wanted.attr_set = attributes;
        // What the operator mounts below it later stays outside: it would come with all rights.
        wanted.propagation = libc::MS_PRIVATE;
        let flags = libc::AT_EMPTY_PATH | libc::AT_RECURSIVE;
        let (empty, size) = (c"".as_ptr(), size_of::<libc::mount_attr>());
        // SAFETY: path and attributes live until the call returns; the size is theirs.
        let result = unsafe {
            libc::syscall(libc::SYS_mount_setattr, self.0.as_raw_fd(), empty, flags, &raw const wanted, size)
        };
        Errno::result(result).map(drop).map_err(failed("mount_setattr"))
    }

    /// Mounts it at `path`.
    pub(super) fn put(self, path: &Path) -> Act {
        let path = c_path(path).map_err(failed("move_mount"))?;
        let (empty, flags) = (c"".as_ptr(), libc::MOVE_MOUNT_F_EMPTY_PATH);
        // SAFETY: both paths are C strings that live until the call returns.
        let result =
            unsafe { libc::syscall(libc::SYS_move_mount, self.0.as_raw_fd(), empty, HERE, path.as_ptr(), flags) };
        Errno::result(result).map(drop).map_err(failed("move_mount"))
    }
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)
}
