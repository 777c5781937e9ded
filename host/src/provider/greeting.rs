//! The first exchange with a new process: preface, hello, and the library to load.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as StdStream;

use cofferdam_channel::protocol::control::{Dir, HostMessage};
use cofferdam_channel::protocol::{Features, HELLO_BYTES, HostHello, PREFACE_BYTES, Preface, ShimHello, Side};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use super::control::{self, ControlError};
use super::library::SealedLibrary;
use crate::supervision::Generation;

/// What is delivered to a new process.
pub(super) struct Delivery<'a> {
    pub(super) generation: Generation,
    pub(super) rules: HostHello,
    pub(super) dirs: Vec<Dir>,
    pub(super) library: &'a SealedLibrary,
    /// The shim's ends.
    pub(super) down: StdStream,
    pub(super) up: StdStream,
}

/// Greets the process and tells it what to load. It has answered nothing of the load yet.
pub(super) async fn greet(stream: &mut UnixStream, delivery: Delivery<'_>) -> Result<ShimHello, ControlError> {
    let Delivery { generation, rules, dirs, library, down, up } = delivery;
    let ours = Preface::ours(Side::Host, Features::NONE, generation.0);
    stream.write_all(&ours.to_bytes()).await?;
    stream.write_all(&rules.to_bytes()).await?;
    ours.agree(&control::read_fixed::<PREFACE_BYTES>(stream).await?)?;
    let hello = ShimHello::from_bytes(&control::read_fixed::<HELLO_BYTES>(stream).await?);
    let load = HostMessage::Load { dirs }.to_frame()?;
    control::send(stream, &load, &[library.as_fd(), down.as_fd(), up.as_fd()]).await?;
    Ok(hello)
}
