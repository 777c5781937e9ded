//! The requests of one process for descriptors, answered beside everything else and bounded twice: how many wait for an
//! answer, and how many the host works on. What is granted is decided in `grants.rs`.

use std::sync::Arc;
use std::time::Duration;

use cofferdam_channel::protocol::control::{HostMessage, Refusal, Want};
use cofferdam_channel::protocol::limits::{ASKS_MAX, clip};
use tokio::sync::Semaphore;

use super::grants::{self, Asker};
use super::outbox::{Answer, Outbox};

/// Requests of a provider that the host works on at once, each on a thread.
const RUNNING_MAX: usize = 16;

/// How long a provider that is told of a change of its links keeps what it listens on without them.
const TIME_TO_CLOSE: Duration = Duration::from_secs(1);

/// How long a provider that drains keeps what it listens on.
const TIME_TO_CLOSE_ALL: Duration = Duration::from_millis(100);

/// The asks of one process.
pub(super) struct Asks {
    asker: Asker,
    /// Those that are not answered yet, each with the descriptor that waits to be sent.
    waiting: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Asks {
    pub(super) fn new(asker: Asker) -> Self {
        let (waiting, running) = (Arc::new(Semaphore::new(ASKS_MAX)), Arc::new(Semaphore::new(RUNNING_MAX)));
        Self { asker, waiting, running }
    }

    /// Opens what the provider asks for, and hands it over. An error says how this breaks the protocol.
    pub(super) fn answer(&self, request: u64, want: Want, outbox: &Outbox) -> Result<(), String> {
        let Ok(turn) = self.waiting.clone().try_acquire_owned() else {
            return Err(format!(
                "it asked for more while {ASKS_MAX} requests have no answer, or it does not read them"
            ));
        };
        let (outbox, running, asker) = (outbox.clone(), self.running.clone(), self.asker.clone());
        tokio::spawn(async move {
            let (message, descriptor) = match grant(want, asker, running).await {
                Ok(granted) => (HostMessage::Granted { request }, Some(granted)),
                Err((refusal, reason)) => {
                    let reason = clip(&reason).to_owned();
                    (HostMessage::Refused { request, refusal, reason }, None)
                }
            };
            outbox.answer(Answer { message, descriptor, turn }).await;
        });
        Ok(())
    }

    /// Takes back what no link and no grant gives any more.
    pub(super) fn review(&self) {
        self.asker.handed.review(&self.asker.authority);
    }

    /// The same in a moment: the provider is being told, and closes by itself what it no longer needs.
    pub(super) fn review_soon(&self) {
        let Asker { authority, handed, .. } = self.asker.clone();
        tokio::spawn(async move {
            tokio::time::sleep(TIME_TO_CLOSE).await;
            handed.review(&authority);
        });
    }

    /// Takes everything back in a moment: the provider drains, and closes by itself what it listens on.
    pub(super) fn close_soon(&self) {
        let handed = self.asker.handed.clone();
        tokio::spawn(async move {
            tokio::time::sleep(TIME_TO_CLOSE_ALL).await;
            handed.close();
        });
    }

    /// What was denied since the last time this was asked, with the lines of the manifest that would grant it.
    pub(super) fn take_denial(&self) -> Option<String> {
        self.asker.handed.take_denial()
    }

    /// Takes everything back. What nobody has begun with is not opened any more.
    pub(super) fn close(&self) {
        self.running.close();
        self.asker.handed.close();
    }
}

/// Carries a request out on a thread that may block. Looking up a name can't be interrupted, so the thread keeps its
/// place among those that run even when the answer is late: a provider never has more of them.
async fn grant(want: Want, asker: Asker, running: Arc<Semaphore>) -> grants::Granted {
    let time = grants::time_for(&want);
    let granting = async move {
        let Ok(place) = running.acquire_owned().await else {
            return Err((Refusal::Failed, "the process has ended".to_owned()));
        };
        let granted = tokio::task::spawn_blocking(move || {
            let granted = grants::grant(&want, &asker);
            drop(place);
            granted
        });
        granted.await.unwrap_or_else(|error| Err((Refusal::Failed, error.to_string())))
    };
    let late = |_| Err((Refusal::Late, format!("it could not be done within {time:?}")));
    tokio::time::timeout(time, granting).await.unwrap_or_else(late)
}
