//! The socket tier: frames on a UNIX stream, read and written by the threads that make the calls.
//!
//! * [`SocketClient`]: a caller writes its own request and reads until its own answer comes; of several callers one
//!   reads for all and hands the role on when it leaves. With one call in flight there is no hand-off.
//! * [`SocketLoopClient`]: the same for callers that must not block; a thread of its own reads, and a descriptor tells.
//! * [`serve`]: of several workers one reads; it lets another read on while it runs what it has read, unless that is
//!   quickly done.
//!
//! Nothing here waits without a deadline, except a worker for the next request.

mod client;
mod completions;
mod flight;
mod reader;
mod server;
mod writer;

pub use client::{ClientConfig, SocketClient};
pub use completions::SocketLoopClient;
pub use server::serve;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use interprocess::os::unix::uds_local_socket::Stream;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use crate::Deadline;

/// Makes both ends of one connection.
pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
    UnixStream::pair()
}

fn prepare(stream: UnixStream) -> io::Result<Stream> {
    stream.set_nonblocking(true)?;
    Ok(Stream::from(stream))
}

/// How long a wait may take.
#[derive(Clone, Copy)]
struct Until<'a> {
    deadline: Deadline,
    /// Ends the wait early when it becomes readable.
    wake: Option<BorrowedFd<'a>>,
}

impl From<Deadline> for Until<'_> {
    fn from(deadline: Deadline) -> Self {
        Self { deadline, wake: None }
    }
}

/// Waits until `stream` is ready for `events`. False when the wait ends first.
fn wait_ready(stream: &Stream, events: PollFlags, until: Until<'_>) -> io::Result<bool> {
    let Until { deadline, wake } = until;
    let waker = PollFd::new(wake.unwrap_or(stream.as_fd()), PollFlags::POLLIN);
    let mut both = [PollFd::new(stream.as_fd(), events), waker];
    let descriptors = if wake.is_some() { &mut both[..] } else { &mut both[..1] };
    loop {
        let timeout = (deadline != Deadline::NEVER).then(|| TimeSpec::from_duration(deadline.remaining()));
        match ppoll(descriptors, timeout, None) {
            Ok(0) if deadline == Deadline::NEVER || !deadline.expired() => {}
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(descriptors[0].any().unwrap_or(true)),
            Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
