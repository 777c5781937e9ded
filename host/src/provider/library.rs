//! The verified bytes of a provider's library, in memory that nobody can change any more.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

/// A sealed memfd. What was verified is what every generation opens: nothing lies on disk to be swapped.
#[derive(Clone, Debug)]
pub struct SealedLibrary {
    memfd: Arc<OwnedFd>,
}

impl SealedLibrary {
    /// Copies `bytes`, which the caller has verified, and seals the copy.
    pub fn new(bytes: &[u8]) -> io::Result<Self> {
        let memfd = memfd_create(c"cofferdam-provider", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
        let mut file = std::fs::File::from(memfd);
        file.write_all(bytes)?;
        let memfd = OwnedFd::from(file);
        seal(&memfd)?;
        Ok(Self { memfd: Arc::new(memfd) })
    }
}

/// Nobody can change it from then on, nor take this back. May wait for the kernel, for two thirds of a second at most.
pub(super) fn seal(memfd: &OwnedFd) -> io::Result<()> {
    /// The kernel waits 75 ms each time for whoever holds a page of it: for a moment that may be the kernel itself, on a
    /// busy machine.
    const TRIES: usize = 9;
    let seals = SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_SEAL;
    let mut sealed = Err(Errno::EBUSY);
    for _ in 0..TRIES {
        sealed = fcntl(memfd, FcntlArg::F_ADD_SEALS(seals));
        if sealed != Err(Errno::EBUSY) {
            break;
        }
    }
    sealed.map(drop).map_err(io::Error::from)
}

impl AsFd for SealedLibrary {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memfd.as_fd()
    }
}
