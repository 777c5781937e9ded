//! The floor of a call: a blocking ping-pong of 64 bytes over a UNIX stream between two processes. Nothing that crosses
//! processes by sockets can be faster.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use crate::role::{Role, standard_input};
use crate::rounds::micros;

pub(crate) const ROLE: &str = "--ping-pong";

const BYTES: usize = 64;

pub(crate) struct PingPong {
    stream: UnixStream,
    _other: Role,
}

impl PingPong {
    pub(crate) fn start() -> Self {
        let (_other, stream) = Role::connected(ROLE).expect("a child process can be started");
        Self { stream, _other }
    }

    /// The mean of one call in µs.
    pub(crate) fn round(&mut self, calls: u32) -> f64 {
        let mut message = [7; BYTES];
        let began = Instant::now();
        for _ in 0..calls {
            let answered = self.stream.write_all(&message).and_then(|()| self.stream.read_exact(&mut message));
            answered.expect("the child answers");
        }
        micros(began) / f64::from(calls)
    }
}

/// The other side: sends back what comes, until the end.
pub(crate) fn serve() -> io::Result<()> {
    let mut stream = UnixStream::from(standard_input()?);
    let mut message = [0; BYTES];
    while stream.read_exact(&mut message).is_ok() {
        stream.write_all(&message)?;
    }
    Ok(())
}
