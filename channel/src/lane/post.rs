//! What wakes an event loop that waits for a mailbox: the callee, by a byte in a socket, or this side, by an event of its own.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// What wakes the loop of one mailbox.
pub(super) struct Post {
    /// Of the mailbox.
    pub(super) number: usize,
    /// The callee writes to its other end.
    socket: OwnedFd,
    own: Arc<Own>,
    /// Readable while one of them is.
    both: Epoll,
}

/// What this side has to tell.
pub(super) struct Own {
    event: EventFd,
    /// It is readable, or about to be.
    is_set: AtomicBool,
}

impl Post {
    pub(super) fn new(number: usize, socket: OwnedFd) -> io::Result<Self> {
        let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let both = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        both.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
        both.add(&event, EpollEvent::new(EpollFlags::EPOLLIN, 1))?;
        Ok(Self { number, socket, own: Arc::new(Own { event, is_set: AtomicBool::new(false) }), both })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.both.0.as_fd()
    }

    /// For whoever has something to tell and does not know of the mailbox.
    pub(super) fn own(&self) -> &Arc<Own> {
        &self.own
    }

    /// Whatever is told from here on makes it readable again.
    pub(super) fn clear(&self) {
        // It holds a byte for each time the loop was woken: most often one.
        while nix::unistd::read(&self.socket, &mut [0; 64]).is_ok_and(|read| read == 64) {}
        self.own.clear();
    }
}

impl Own {
    /// Wakes the loop, unless it is about to look anyway.
    pub(super) fn tell(&self) {
        if !self.is_set.swap(true, Ordering::AcqRel) {
            // The counter is 0 or 1, so this can't block.
            let _ = self.event.write(1);
        }
    }

    fn clear(&self) {
        // Somebody who has set it and has not written yet is left to write. Whoever finds it set before this clears it is
        // seen by the look that follows.
        if self.is_set.load(Ordering::Acquire) && self.event.read().is_ok() {
            self.is_set.swap(false, Ordering::AcqRel);
        }
    }
}
