//! The audit log: what this host has loaded, refused, linked, granted and denied, what crashed, and what operators said. Records are
//! only ever added; each holds the hash of the one before, and the host's key signs the end of the chain every second.
//!
//! ```text
//!  broker, providers, host, control --Auditor--> queue --one thread--> log: STATE/audit/SEQ.jsonl
//!                                   (counts what repeats: tally)        (record, head: the chain)
//!  cofferdam audit verify --> check (files) --> verify (pure)
//! ```
//! It holds no value of a link, no payload, no seed and no token. It never holds up whoever tells it something, and what
//! it could not write it says it lost. `docs/audit.md` has the format, and what it proves against whom.
//!
//! Start reading at `record.rs`, then `verify.rs`; `log.rs` is the disk.

mod check;
mod error;
mod head;
mod log;
mod queue;
mod record;
mod recover;
mod segments;
mod tally;
mod verify;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::SystemTime;

use cofferdam_claims::KeyPair;

pub use check::{Expected, read, verify};
pub use error::AuditError;
pub use head::{HeadError, SignedHead};
pub use log::AuditSizes;
pub use record::{LINE_BYTES_MAX, NotARecord, Record, RecordHash, Tip};
pub use verify::{Finding, Place, Problem, Summary, UNSIGNED_MAX, Verifier};

use crate::words::{AuditEvent, Auditor, Brief};
use log::{Log, Sign, Stamped};
use queue::{End, Queue};
use record::Told;
use writer::Writer;

/// The folder of the log within a state directory.
pub const FOLDER: &str = "audit";

/// The log of a running host. Dropping it writes what waits, and ends the thread that writes.
pub struct Audit {
    queue: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
}

impl Audit {
    /// Takes up the log in `dir`, made for its owner alone if it is not there, and writes that the host has started.
    /// `started` is given how the host before ended. The caller sees to it that only one host does so.
    pub fn start(
        dir: &Path,
        key: KeyPair,
        sizes: AuditSizes,
        started: impl FnOnce(Brief) -> AuditEvent,
    ) -> Result<Self, AuditError> {
        let (mut log, last_kind) = Log::open(dir, key, sizes)?;
        let previous = match &*last_kind {
            "" => "none",
            "host_stopped" => "stopped",
            _ => "killed",
        };
        let told = Told::Event(started(previous.into()));
        log.commit(&[Stamped { time: SystemTime::now(), told }], Sign::Now)?;
        let queue = Arc::new(Queue::new(tally::WINDOW));
        let writer = Writer::new(queue.clone(), log);
        let thread = std::thread::Builder::new().name("audit".to_owned()).spawn(move || writer.run());
        let thread = thread.map_err(AuditError::io("starting the thread that writes it", dir))?;
        Ok(Self { queue, writer: Some(thread) })
    }

    /// Where events go.
    pub fn auditor(&self) -> Arc<dyn Auditor> {
        self.queue.clone()
    }

    /// How it does, in words: `ok`, or that it is behind, and why.
    pub fn state(&self) -> String {
        let health = self.queue.health();
        let lost = if health.lost == 0 { String::new() } else { format!(", {} events lost", health.lost) };
        match health.behind {
            None => format!("ok{lost}"),
            Some((since, error)) => format!("behind for {} s{lost}: {error}", since.elapsed().as_secs()),
        }
    }

    /// Writes what waits and a last word, and returns when it is on the disk, or can't be. Blocks.
    pub fn close(mut self, why: &str) {
        self.end(End::With(AuditEvent::HostStopped { why: why.into() }));
    }

    fn end(&mut self, end: End) {
        if let Some(writer) = self.writer.take() {
            self.queue.close(end);
            // A panic of the thread is in the log already.
            let _ = writer.join();
        }
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        self.end(End::Silent);
    }
}

#[cfg(test)]
mod tests;
