//! This program in another process: as a floor's other side, as a peer's server, or as one part of the bench.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitCode, Stdio};

use crate::peers::{grpc, http, ping_pong, ring};

/// Serves until whoever started it is done.
type Serve = fn() -> io::Result<()>;

/// What this program can be told to be, by its first argument.
const ROLES: &[(&str, Serve)] = &[
    (ping_pong::ROLE, ping_pong::serve),
    (ring::ROLE, ring::serve),
    (grpc::ROLE, grpc::serve),
    (http::BARE, http::serve_bare),
    (http::WITH_ACTOR, http::serve_with_actor),
];

/// Another process of this program, which ends when this is dropped.
pub(crate) struct Role {
    process: Child,
}

impl Role {
    /// With something as its standard input: the connection, or what is shared.
    pub(crate) fn start(role: &str, standard_input: OwnedFd) -> io::Result<Self> {
        let process = Command::new(std::env::current_exe()?).arg(role).stdin(Stdio::from(standard_input)).spawn()?;
        Ok(Self { process })
    }

    /// With one end of a connection, and here is the other.
    pub(crate) fn connected(role: &str) -> io::Result<(Self, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        Ok((Self::start(role, theirs.into())?, ours))
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        // It may have ended by itself, with its connection.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Plays the role that this process was told to play, if any.
pub(crate) fn play() -> Option<ExitCode> {
    let told = std::env::args().nth(1)?;
    let (role, serve) = ROLES.iter().find(|(role, _)| *role == told)?;
    Some(match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{role}: {error}");
            ExitCode::FAILURE
        }
    })
}

/// What a role was started with.
pub(crate) fn standard_input() -> io::Result<OwnedFd> {
    io::stdin().as_fd().try_clone_to_owned()
}
