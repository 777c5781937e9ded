//! What a provider asks of the world: the host opens it and hands the descriptor over. Which requests an operator has
//! granted is checked in [`check`], the one place for it.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::time::Duration;

use cofferdam_channel::Deadline;
use cofferdam_channel::protocol::control::{Refusal, Want};

/// A request takes no longer than this, whatever the provider says.
const TIMEOUT_MAX: Duration = Duration::from_secs(10);

/// What became of a request.
pub(super) type Granted = Result<OwnedFd, (Refusal, String)>;

/// How long the request may take, looking up names included, before its answer is too late.
pub(super) fn time_for(want: &Want) -> Duration {
    match want {
        Want::Connect { deadline_ns, .. } => Deadline::from_monotonic_ns(*deadline_ns).remaining().min(TIMEOUT_MAX),
        Want::Listen { .. } | Want::File { .. } => TIMEOUT_MAX,
    }
}

/// Checks a request and carries it out. Blocks: not for an event loop's thread.
pub(super) fn grant(want: &Want) -> Granted {
    check(want)?;
    match want {
        Want::Listen { address } => listen(address),
        Want::Connect { address, deadline_ns } => connect(address, Deadline::from_monotonic_ns(*deadline_ns)),
        Want::File { name, .. } => Err((Refusal::Denied, format!("no file named {name:?} is granted"))),
    }
}

/// Whether the operator granted it. Listening and connecting follow from the values of links until manifests can state
/// grants, so every address is granted that a provider was configured to ask for; files can't be named yet.
fn check(want: &Want) -> Result<(), (Refusal, String)> {
    match want {
        Want::Listen { .. } | Want::Connect { .. } | Want::File { .. } => Ok(()),
    }
}

fn listen(address: &str) -> Granted {
    let parsed: SocketAddr = address.parse().map_err(|error| {
        (Refusal::Invalid, format!("{address:?} is no address to listen on, like 127.0.0.1:8080: {error}"))
    })?;
    let listener = TcpListener::bind(parsed)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .map_err(|error| (Refusal::Failed, format!("listening on {parsed}: {error}")))?;
    Ok(listener.into())
}

fn connect(address: &str, deadline: Deadline) -> Granted {
    let deadline = deadline.min(Deadline::after(TIMEOUT_MAX));
    let failed = |error: io::Error| {
        let late = matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock);
        let refusal = if late { Refusal::Late } else { Refusal::Failed };
        (refusal, format!("connecting to {address}: {error}"))
    };
    let mut last = io::Error::other("the name has no addresses");
    for candidate in address.to_socket_addrs().map_err(failed)? {
        let left = deadline.remaining();
        if left.is_zero() {
            last = io::ErrorKind::TimedOut.into();
            break;
        }
        match TcpStream::connect_timeout(&candidate, left) {
            Ok(stream) => return Ok(stream.into()),
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}
