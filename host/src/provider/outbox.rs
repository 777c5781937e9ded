//! What waits to be sent to a process on its control socket, in order, beside everything else: the loop that hears the
//! process never waits for it to read.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use cofferdam_channel::protocol::control::HostMessage;
use cofferdam_channel::{Broken, OnBroken};
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::control;

/// Messages that may wait: each link may be bound again at once.
const WAITING_MAX: usize = 8192;

/// Where messages for one process go. Clones are one.
#[derive(Clone)]
pub(super) struct Outbox {
    waiting: mpsc::Sender<Waiting>,
    broken: BrokenTo,
}

/// Who hears that a process is of no more use, and why. Clones are one.
#[derive(Clone)]
pub(super) struct BrokenTo {
    to: mpsc::Sender<String>,
}

struct Waiting {
    frame: Vec<u8>,
    descriptor: Option<OwnedFd>,
    /// Of the ask that this answers: free when it is sent.
    turn: Option<OwnedSemaphorePermit>,
}

/// The answer to an ask.
pub(super) struct Answer {
    pub(super) message: HostMessage,
    pub(super) descriptor: Option<OwnedFd>,
    /// Held until it is sent.
    pub(super) turn: OwnedSemaphorePermit,
}

impl Outbox {
    /// Sends what is put in until the process has gone.
    pub(super) fn open(stream: Arc<UnixStream>, broken: BrokenTo) -> Self {
        let (to, waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(send_all(stream, waiting, broken.clone()));
        Self { waiting: to, broken }
    }

    /// Puts a message in.
    pub(super) fn send(&self, message: &HostMessage) {
        match message.to_frame() {
            Ok(frame) => self.send_frame(frame),
            Err(why) => self.broken.tell(why.to_string()),
        }
    }

    /// Puts a frame in.
    pub(super) fn send_frame(&self, frame: Vec<u8>) {
        if self.waiting.try_send(Waiting { frame, descriptor: None, turn: None }).is_err() {
            // It is full, so the process doesn't read, or the sender found the socket closed and has told so.
            self.broken.tell("it does not read its control socket".to_owned());
        }
    }

    /// Waits for room and puts an answer in. A process that is gone needs none.
    pub(super) async fn answer(&self, Answer { message, descriptor, turn }: Answer) {
        match message.to_frame() {
            Ok(frame) => drop(self.waiting.send(Waiting { frame, descriptor, turn: Some(turn) }).await),
            Err(why) => self.broken.tell(why.to_string()),
        }
    }
}

impl BrokenTo {
    /// The place to tell, and to hear it.
    pub(super) fn channel() -> (Self, mpsc::Receiver<String>) {
        let (to, heard) = mpsc::channel(4);
        (Self { to }, heard)
    }

    /// The process is of no more use.
    pub(super) fn tell(&self, why: String) {
        // A full queue means that it is known already.
        let _ = self.to.try_send(why);
    }

    /// For a socket of calls, which tells by this.
    pub(super) fn on_broken(&self, socket: &'static str) -> OnBroken {
        let broken = self.clone();
        Box::new(move |why: &Broken| {
            broken.tell(match why {
                Broken::Eof => format!("it closed {socket}"),
                why => format!("it broke the protocol on {socket}: {why}"),
            });
        })
    }
}

/// Sends what waits, one after the other.
async fn send_all(stream: Arc<UnixStream>, mut waiting: mpsc::Receiver<Waiting>, broken: BrokenTo) {
    while let Some(Waiting { frame, descriptor, turn }) = waiting.recv().await {
        // Before the answer can be read: whoever has it may ask again at once, and must not be found to ask too much.
        drop(turn);
        let descriptors: Vec<_> = descriptor.iter().map(AsFd::as_fd).collect();
        if let Err(error) = control::send(&stream, &frame, &descriptors).await {
            return broken.tell(error.by_the_shim());
        }
    }
}
