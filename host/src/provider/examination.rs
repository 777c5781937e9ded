//! Which measures of the sandbox this machine can take: asked of a shim that takes all it can and is given nothing.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use cofferdam_channel::protocol::limits::CALLS_MAX;
use cofferdam_channel::protocol::{Confinement, HostHello};
use cofferdam_channel::socket;
use cofferdam_claims::printable;
use thiserror::Error;
use tokio::io::AsyncReadExt;

use super::control;
use super::greeting::{self, Rules};
use super::sandbox::{Sandbox, SandboxSpec};
use super::spawner::{Spawned, Spawner};
use crate::supervision::Generation;

/// The whole of it takes milliseconds.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What a shim says of the measures it could not take.
const WORDS_BYTES_MAX: u64 = 16 << 10;

/// What this machine can enforce.
#[derive(Clone, Debug)]
pub struct Examination {
    /// What was in force.
    pub in_force: Confinement,
    /// What kind of control group it was given, or why none and what to do about it.
    pub control_group: Result<String, String>,
    /// Why the others were not, as the shim said it, a line each.
    pub complaints: Vec<String>,
}

/// Why a machine could not be examined.
#[derive(Debug, Error)]
pub enum ExaminationError {
    /// Something of the host's own failed.
    #[error("the shim {shim} could not be examined: {act}: {source}")]
    Host {
        /// Which shim.
        shim: String,
        /// What was attempted.
        act: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The shim did not say what it could do.
    #[error("the shim {shim} did not say what confines it: {reason}")]
    Shim {
        /// Which shim.
        shim: String,
        /// What happened.
        reason: String,
    },
}

/// Starts a shim as a provider of this host would be, without a library, and ends it.
pub async fn examine(shim: &std::path::Path, spec: SandboxSpec) -> Result<Examination, ExaminationError> {
    let name = shim.display().to_string();
    let failed = |act: &'static str| {
        let shim = name.clone();
        move |source: io::Error| ExaminationError::Host { shim, act, source }
    };
    let spawner = Arc::new(Spawner::start(spec.sandbox).map_err(failed("starting a thread"))?);
    let (ours, theirs) = socket::pair().map_err(failed("making a socket"))?;
    let hello = HostHello { payload_bytes_max: 1, calls_max: CALLS_MAX, actor_calls_max: CALLS_MAX };
    let bounds = spec.bounds();
    let confine = SandboxSpec { sandbox: Sandbox::BestEffort, ..spec }.order(None);
    let rules = Rules { generation: Generation(1), hello, confine };
    let prepared = greeting::prepare(ours, rules).map_err(io::Error::other);
    let (mut stream, words) = prepared.map_err(failed("preparing a socket"))?;
    let (_alive, alive) = tokio::sync::watch::channel(());
    let Spawned { group, stderr, unbounded, words, .. } =
        spawner.spawn(shim, (theirs.into(), words), (bounds, alive)).await.map_err(failed("starting it"))?;
    let greeted = tokio::time::timeout(TIMEOUT, greeting::greet(&mut stream, words, Generation(1))).await;
    let confined = greeted.as_ref().ok().and_then(|greeted| greeted.as_ref().ok());
    let confined = confined.map(|greeted| group.confined_by(greeted.hello.confinement));
    let control_group = match unbounded {
        Some(why) => Err(format!("{why}; {}", why.next_step())),
        None => group.control_group_in_words().ok_or_else(|| "none was wanted".to_owned()),
    };
    let exit = group.end().await;
    let mut words = Vec::new();
    let stderr = tokio::process::ChildStderr::from_std(stderr).map_err(failed("reading what it said"))?;
    // What it has said lies in the pipe; the end of the processes is the end of the pipe.
    let _ = tokio::time::timeout(TIMEOUT, stderr.take(WORDS_BYTES_MAX).read_to_end(&mut words)).await;
    let complaints: Vec<String> = String::from_utf8_lossy(&words).lines().map(printable).collect();
    if let Some(in_force) = confined {
        return Ok(Examination { in_force, control_group, complaints });
    }
    let error = match greeted {
        Ok(Err(error)) => error,
        Ok(Ok(_)) | Err(_) => control::ControlError::Stalled,
    };
    let reason = match exit {
        Some(exit) => format!("it {exit}; {}", complaints.join("; ")),
        None => error.to_string(),
    };
    Err(ExaminationError::Shim { shim: name, reason })
}
