//! The one thread that writes: it takes all writes that wait, commits them at once, and only then answers them.
//!
//! ```text
//! callers --(bounded queue)--> [ apply each | one commit, synced ] --> an answer to each caller
//! ```
//! While one group is being synced the next one gathers, so the more callers wait, the more share a sync.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use redb::{Database, Durability};

use super::edit::Editor;
use super::now_ms;
use crate::contract::Answer;
use crate::error::OperationError;
use crate::limits::{GROUP_WRITES_MAX, WAITING_WRITES_MAX};
use crate::operation::Write;

type Outcome = Result<Answer, OperationError>;

/// The queue to the thread. Dropping it ends the thread, after what waits is written.
#[derive(Debug)]
pub(super) struct Committer {
    queue: Option<SyncSender<Job>>,
    running: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// A write, and who waits for it.
struct Job {
    write: Write,
    deadline: Instant,
    answer: SyncSender<Outcome>,
}

impl Committer {
    pub(super) fn start(database: Arc<Database>) -> Result<Self, OperationError> {
        let (queue, jobs) = sync_channel(WAITING_WRITES_MAX);
        let running = Arc::new(AtomicBool::new(true));
        let guard = Running(Arc::clone(&running));
        let thread = std::thread::Builder::new().name("kv-commit".into()).spawn(move || {
            let _guard = guard;
            commit_groups(&database, &jobs);
        });
        let thread = thread.map_err(redb::Error::Io)?;
        Ok(Self { queue: Some(queue), running, thread: Some(thread) })
    }

    /// Hands a write in and waits until it is on the disk.
    pub(super) fn write(&self, write: Write, timeout: Duration) -> Outcome {
        let (answer, outcome) = sync_channel(1);
        let queue = self.queue.as_ref().ok_or(OperationError::Stopped)?;
        queue.try_send(Job { write, deadline: Instant::now() + timeout, answer }).map_err(|refused| match refused {
            TrySendError::Full(_) => OperationError::Busy,
            TrySendError::Disconnected(_) => OperationError::Stopped,
        })?;
        outcome.recv_timeout(timeout).unwrap_or_else(|none| match none {
            RecvTimeoutError::Timeout => Err(OperationError::LateUnknown),
            RecvTimeoutError::Disconnected => Err(OperationError::Stopped),
        })
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic in it has been told by `running`.
            let _ = thread.join();
        }
    }
}

/// Says that the thread has ended, however it did.
struct Running(Arc<AtomicBool>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Runs until nobody can hand in a write, or the disk fails: then what is on it is unknown, and only who opens the file
/// afresh may go on.
fn commit_groups(database: &Database, jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let mut group = vec![first];
        group.extend(jobs.try_iter().take(GROUP_WRITES_MAX - 1));
        let now = Instant::now();
        let (group, late): (Vec<_>, Vec<_>) = group.into_iter().partition(|job| job.deadline > now);
        for job in late {
            answer(&job, Err(OperationError::Late));
        }
        if group.is_empty() {
            continue;
        }
        match commit(database, &group) {
            Ok(outcomes) => group.iter().zip(outcomes).for_each(|(job, outcome)| answer(job, outcome)),
            Err(error) => {
                group.iter().for_each(|job| answer(job, Err(error.clone())));
                return;
            }
        }
    }
}

/// One transaction. An error of the store fails them all; an error of one write is its own outcome.
fn commit(database: &Database, group: &[Job]) -> Result<Vec<Outcome>, OperationError> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate).map_err(redb::Error::from)?;
    let mut outcomes = Vec::with_capacity(group.len());
    {
        let mut editor = Editor::new(&transaction, now_ms())?;
        for job in group {
            match editor.apply(&job.write) {
                Err(error @ (OperationError::Storage(_) | OperationError::Corrupt(_))) => return Err(error),
                outcome => outcomes.push(outcome),
            }
        }
        editor.sweep()?;
    }
    transaction.commit()?;
    Ok(outcomes)
}

fn answer(job: &Job, outcome: Outcome) {
    // Whoever waited may have gone; the place for one answer is always free.
    let _ = job.answer.try_send(outcome);
}
