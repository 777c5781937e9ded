//! What the provider asks of the host over the control socket, and who waits for which answer.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};

use cofferdam_channel::Deadline;
use cofferdam_channel::control::ControlSender;
use cofferdam_channel::protocol::control::{Refusal, ShimMessage, Want};
use cofferdam_channel::protocol::limits::ASKS_MAX;
use parking_lot::Mutex;

/// What became of an ask.
pub(crate) type Granted = Result<OwnedFd, (Refusal, String)>;

/// The asks that have no answer yet.
pub(crate) struct Asks {
    sender: Arc<ControlSender>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    next_request: u64,
    /// Those whose caller has gone, too: the host counts them.
    by_request: HashMap<u64, SyncSender<Granted>>,
}

impl Asks {
    pub(crate) fn new(sender: Arc<ControlSender>) -> Self {
        Self { sender, waiting: Mutex::default() }
    }

    /// Asks, and waits until the deadline.
    pub(crate) fn ask(&self, want: Want, deadline: Deadline) -> Granted {
        let (answer_to, answer) = sync_channel(1);
        let request = {
            let mut waiting = self.waiting.lock();
            if waiting.by_request.len() >= ASKS_MAX {
                return Err((Refusal::Failed, format!("{ASKS_MAX} requests to the host wait already")));
            }
            waiting.next_request += 1;
            let request = waiting.next_request;
            waiting.by_request.insert(request, answer_to);
            request
        };
        let sent = self.sender.send(&ShimMessage::Ask { request, want });
        match sent {
            Err(error) => Err((Refusal::Failed, error.to_string())),
            Ok(()) => answer.recv_timeout(deadline.remaining()).unwrap_or_else(|error| {
                Err(match error {
                    RecvTimeoutError::Timeout => (Refusal::Late, "the host did not answer in time".to_owned()),
                    RecvTimeoutError::Disconnected => (Refusal::Failed, "the host has gone".to_owned()),
                })
            }),
        }
    }

    /// The host answered. An answer nobody waits for any more closes its descriptor.
    pub(crate) fn answered(&self, request: u64, granted: Granted) {
        let waiter = self.waiting.lock().by_request.remove(&request);
        if let Some(waiter) = waiter {
            // The one who waits may have left in this moment.
            let _ = waiter.try_send(granted);
        }
    }
}
