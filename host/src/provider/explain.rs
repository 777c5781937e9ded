//! What the record of a process that died says. Another shim finds out, confined like the one that died: the tables of a
//! hostile library can take any time and any memory of whoever reads them, and may do worse. Here only its answer is read.

use std::fs::File;
use std::os::fd::AsFd;
use std::time::Duration;

use cofferdam_channel::protocol::control::{Backtrace, HostMessage, Network, ResourceLimits, ShimMessage};
use cofferdam_channel::protocol::{HostHello, limits};
use cofferdam_channel::socket;
use tokio::net::UnixStream;

use super::Surroundings;
use super::control::{ControlError, Receiver};
use super::greeting::{self, FirstWords, Greeted, Rules};
use super::group::Group;
use super::library::SealedLibrary;
use super::sandbox::SandboxSpec;
use super::spawner::Spawned;
use crate::supervision::Generation;

/// How long it may take. Debug information of some ten megabytes takes a second or two.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What it may use: a library, what is made of its debug information, and no files.
const LIMITS: ResourceLimits =
    ResourceLimits { memory_bytes: 1 << 30, threads: 1, files: 64, file_bytes: 0, cpu_s: u64::MAX };

/// Says where a process was that left `record`. The error says why not, for people.
pub(super) async fn explain(
    surroundings: &Surroundings,
    sandbox: &SandboxSpec,
    library: &SealedLibrary,
    record: Vec<u8>,
) -> Result<Backtrace, String> {
    let io = |act: &'static str| move |error: std::io::Error| format!("{act} to explain it: {error}");
    let program = File::open(&surroundings.shim).map_err(io("opening the shim"))?;
    let (ours, theirs) = socket::pair().map_err(io("making a socket"))?;
    let spec = SandboxSpec {
        limits: LIMITS,
        // A part of a processor that does for a provider does not read a library's debug information in time.
        cpus_milli: None,
        dirs: Vec::new(),
        network: Network::None,
        ..sandbox.clone()
    };
    let hello = HostHello { payload_bytes_max: 1, calls_max: limits::CALLS_MAX, actor_calls_max: limits::CALLS_MAX };
    let rules = Rules { generation: Generation(1), hello, confine: spec.order(None) };
    let prepared = greeting::prepare(ours, rules).map_err(std::io::Error::other);
    let (stream, words) = prepared.map_err(io("preparing a socket"))?;
    let (_alive, alive) = tokio::sync::watch::channel(());
    let spawned = surroundings.spawner.spawn(&surroundings.shim, (theirs.into(), words), (spec.bounds(), alive));
    let spawned = tokio::time::timeout(TIMEOUT, spawned).await;
    let spawned = spawned.map_err(|_| format!("starting a shim to explain it took more than {TIMEOUT:?}"))?;
    // Nobody reads what it writes: the pipes are closed with this.
    let Spawned { group, words, .. } = spawned.map_err(io("starting a shim"))?;
    let explaining = ask((stream, words), (&spec, &group), &program, library, record);
    let explained = tokio::time::timeout(TIMEOUT, explaining).await;
    let exit = group.end().await;
    match (explained, exit) {
        (Ok(Ok(backtrace)), _) => Ok(backtrace),
        (Ok(Err(_)), Some(exit)) => Err(format!("the shim that was to explain it {exit}")),
        (Ok(Err(error)), None) => Err(format!("the shim that was to explain it failed: {error}")),
        (Err(_), _) => Err(format!("explaining it took more than {TIMEOUT:?}")),
    }
}

async fn ask(
    (mut stream, words): (UnixStream, FirstWords),
    (spec, group): (&SandboxSpec, &Group),
    program: &File,
    library: &SealedLibrary,
    record: Vec<u8>,
) -> Result<Backtrace, ControlError> {
    let Greeted { hello, .. } = greeting::greet(&mut stream, words, Generation(1)).await?;
    if !spec.accepts(spec.missing(group.confined_by(hello.confinement))) {
        return Err(ControlError::Io(std::io::Error::other("it is not confined")));
    }
    greeting::tell(&stream, HostMessage::Explain { record }, &[library.as_fd(), program.as_fd()]).await?;
    match Receiver::new().receive(&stream).await? {
        ShimMessage::Explained(backtrace) => Ok(backtrace),
        _ => Err(ControlError::Io(std::io::Error::other("it answered something else"))),
    }
}
