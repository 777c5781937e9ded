//! The floor: a blocking ping-pong of 64 bytes over a UNIX stream between two processes. Nothing that crosses processes by
//! sockets can be faster.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;

/// The argument that makes this program the other side.
pub(crate) const CHILD: &str = "--ping-pong-child";

const BYTES: usize = 64;

pub(crate) struct PingPong {
    stream: UnixStream,
    child: Child,
}

impl PingPong {
    pub(crate) fn start() -> io::Result<Self> {
        let (stream, theirs) = UnixStream::pair()?;
        let child =
            Command::new(std::env::current_exe()?).arg(CHILD).stdin(Stdio::from(OwnedFd::from(theirs))).spawn()?;
        Ok(Self { stream, child })
    }

    /// The mean of one call in µs.
    pub(crate) fn round(&mut self, calls: u32) -> io::Result<f64> {
        let mut message = [7; BYTES];
        let began = Instant::now();
        for _ in 0..calls {
            self.stream.write_all(&message)?;
            self.stream.read_exact(&mut message)?;
        }
        Ok(began.elapsed().as_secs_f64() * 1e6 / f64::from(calls))
    }
}

impl Drop for PingPong {
    fn drop(&mut self) {
        // The child ends with the stream; killing it is for the case that it doesn't.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The other side: sends back what comes, until the end.
pub(crate) fn serve_child() -> ExitCode {
    use std::os::fd::AsFd;
    let Ok(descriptor) = io::stdin().as_fd().try_clone_to_owned() else { return ExitCode::FAILURE };
    let mut stream = UnixStream::from(descriptor);
    let mut message = [0; BYTES];
    while stream.read_exact(&mut message).is_ok() {
        if stream.write_all(&message).is_err() {
            break;
        }
    }
    ExitCode::SUCCESS
}
