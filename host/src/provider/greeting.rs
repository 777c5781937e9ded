//! The first exchange with a new process: preface and hello, how to confine itself, and, once it says that it has, the
//! library to load.

use std::io::{self, IoSliceMut, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;

use cofferdam_channel::protocol::control::{Confine, HostMessage, Setting};
use cofferdam_channel::protocol::{Features, HELLO_BYTES, HostHello, PREFACE_BYTES, Preface, ShimHello, Side};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, UnixCredentials, recvmsg, setsockopt, sockopt};
use nix::unistd::Pid;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::UnixStream;

use super::control::{self, ControlError};
use super::library::SealedLibrary;
use crate::supervision::Generation;

/// The rules that a new process is told.
pub(super) struct Rules {
    pub(super) generation: Generation,
    pub(super) hello: HostHello,
    pub(super) confine: Confine,
}

/// What is delivered to a process that has confined itself.
pub(super) struct Delivery<'a> {
    pub(super) env: Vec<Setting>,
    pub(super) library: &'a SealedLibrary,
    /// The shim's ends.
    pub(super) down: StdStream,
    pub(super) up: StdStream,
    /// Where it leaves its record when a signal ends it.
    pub(super) crash: OwnedFd,
}

/// A process that has confined itself.
pub(super) struct Greeted {
    /// What both have.
    pub(super) features: Features,
    /// By its own word.
    pub(super) hello: ShimHello,
    /// By the kernel's.
    pub(super) pid: Pid,
}

/// What a process is told before it has said anything. It may lie in the socket when the process is started, so that it
/// waits for nobody.
#[derive(Debug)]
pub(super) struct FirstWords {
    ours: StdStream,
    /// In one piece: the kernel wakes us for each piece that the process has read.
    left: Vec<u8>,
}

impl FirstWords {
    /// None, for what is no shim.
    #[cfg(test)]
    pub(super) fn none() -> Self {
        let (ours, _) = StdStream::pair().expect("a pair of sockets");
        Self { ours, left: Vec::new() }
    }

    /// Says what the socket has room for.
    pub(super) fn say(&mut self) {
        // What goes wrong here goes wrong again in `greet`, and is told there.
        if let Ok(said) = (&self.ours).write(&self.left) {
            self.left.drain(..said);
        }
    }
}

/// Prepares our end of a control socket: the kernel is going to say who wrote what is read from it.
pub(super) fn prepare(ours: StdStream, rules: Rules) -> Result<(UnixStream, FirstWords), ControlError> {
    let Rules { generation, hello, confine } = rules;
    setsockopt(&ours, sockopt::PassCred, &true).map_err(io::Error::from)?;
    ours.set_nonblocking(true)?;
    let mut left = [&preface(generation).to_bytes()[..], &hello.to_bytes()].concat();
    left.extend(HostMessage::Confine(confine).to_frame()?);
    let words = FirstWords { ours: ours.try_clone()?, left };
    Ok((UnixStream::from_std(ours)?, words))
}

fn preface(generation: Generation) -> Preface {
    Preface::ours(Side::Host, Features::LANES, generation.0)
}

/// Greets the process, and waits until it has confined itself.
pub(super) async fn greet(
    stream: &mut UnixStream,
    words: FirstWords,
    generation: Generation,
) -> Result<Greeted, ControlError> {
    stream.write_all(&words.left).await?;
    drop(words);
    let agreed = preface(generation).agree(&control::read_fixed::<PREFACE_BYTES>(stream).await?)?;
    // Another process than the one that wrote the preface, when it has a pid namespace.
    let (hello, pid) = read_signed::<HELLO_BYTES>(stream).await?;
    Ok(Greeted { features: agreed.features, hello: ShimHello::from_bytes(&hello), pid })
}

/// Tells the process what to load. It has answered nothing of the load yet.
pub(super) async fn deliver(stream: &UnixStream, delivery: Delivery<'_>) -> Result<(), ControlError> {
    let Delivery { env, library, down, up, crash } = delivery;
    let descriptors = [library.as_fd(), down.as_fd(), up.as_fd(), crash.as_fd()];
    tell(stream, HostMessage::Load { env }, &descriptors).await
}

/// Sends a message with its descriptors.
pub(super) async fn tell(
    stream: &UnixStream,
    message: HostMessage,
    descriptors: &[BorrowedFd<'_>],
) -> Result<(), ControlError> {
    control::send(stream, &message.to_frame()?, descriptors).await
}

/// Reads bytes and who wrote the last of them.
async fn read_signed<const N: usize>(stream: &UnixStream) -> Result<([u8; N], Pid), ControlError> {
    let (mut bytes, mut read, mut writer) = ([0; N], 0, Pid::from_raw(0));
    while read < N {
        let receive = || receive_signed(stream, &mut bytes[read..]);
        let (came, from) = stream.async_io(Interest::READABLE, receive).await?;
        if came == 0 {
            return Err(ControlError::Eof);
        }
        read += came;
        writer = from.ok_or(ControlError::Descriptors)?;
    }
    Ok((bytes, writer))
}

/// How many bytes came, and from whom. There is room for credentials only: descriptors that come along are closed by the
/// kernel, which says so; then nobody is named.
fn receive_signed(stream: &UnixStream, bytes: &mut [u8]) -> io::Result<(usize, Option<Pid>)> {
    let mut room = nix::cmsg_space!(UnixCredentials);
    let mut parts = [IoSliceMut::new(bytes)];
    let received = recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(&mut room), MsgFlags::MSG_CMSG_CLOEXEC)?;
    if received.flags.contains(MsgFlags::MSG_CTRUNC) {
        return Ok((received.bytes, None));
    }
    let writer = received.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::ScmCredentials(credentials) => Some(Pid::from_raw(credentials.pid())),
        _ => None,
    });
    Ok((received.bytes, Some(writer.unwrap_or(Pid::from_raw(0)))))
}
