//! Files and secrets that were granted, opened for a provider. Nothing here decides who may have them.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use cofferdam_claims::open_file;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::{SFlag, fstat};

use super::library;
use crate::words::{Access, SecretSource};

/// The longest secret: a chain of certificates fits many times.
const SECRET_BYTES_MAX: u64 = 1 << 20;

/// Opens a regular file, whose path has no symbolic link in it: it had none when it was granted.
pub(super) fn open(path: &Path, access: Access) -> io::Result<OwnedFd> {
    let mode = match access {
        Access::Read => OFlag::O_RDONLY,
        Access::Write => OFlag::O_RDWR,
    };
    // Of a pipe or a device that was put there, nothing is waited for.
    let flags = mode | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let how =
        OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let file = openat2(AT_FDCWD, path, how)?;
    let kind = SFlag::from_bits_truncate(fstat(&file)?.st_mode) & SFlag::S_IFMT;
    if kind != SFlag::S_IFREG {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok(file)
}

/// Reads a secret. The error never holds any of it.
pub(super) fn read_secret(from: &SecretSource) -> io::Result<Vec<u8>> {
    match from {
        SecretSource::Env(name) => match std::env::var_os(name) {
            Some(value) => Ok(value.into_encoded_bytes()),
            None => Err(io::Error::other(format!("the host's environment has no variable {name}"))),
        },
        SecretSource::File(path) => {
            let mut value = Vec::new();
            open_file(path)?.take(SECRET_BYTES_MAX + 1).read_to_end(&mut value)?;
            if value.len() as u64 > SECRET_BYTES_MAX {
                return Err(io::Error::other(format!("it is longer than {SECRET_BYTES_MAX} bytes")));
            }
            Ok(value)
        }
    }
}

/// The bytes as a file in memory that nobody can change, at its beginning.
pub(super) fn sealed(bytes: &[u8]) -> io::Result<OwnedFd> {
    let memfd = memfd_create(c"cofferdam-secret", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    let mut file = File::from(memfd);
    file.write_all(bytes)?;
    file.rewind()?;
    let memfd = OwnedFd::from(file);
    library::seal(&memfd)?;
    Ok(memfd)
}
