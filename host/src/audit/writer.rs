//! The one thread that writes: all that waits is one batch, synced once. While the disk takes nothing, the batch is kept and
//! tried again, the host goes on, and its log and `ps` say that the audit log is behind.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::AuditError;
use super::log::{Log, Sign, Stamped};
use super::queue::{Queue, Until};
use super::record::{Note, Told};

/// A record is signed by a head no later than this.
const SIGNED_WITHIN: Duration = Duration::from_secs(1);

/// Between two attempts to write.
const RETRY: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    queue: Arc<Queue>,
    log: Log,
    batch: Vec<Stamped>,
    unsigned_since: Option<Instant>,
    behind: Option<Instant>,
}

impl Writer {
    pub(super) fn new(queue: Arc<Queue>, log: Log) -> Self {
        Self { queue, log, batch: Vec::new(), unsigned_since: None, behind: None }
    }

    /// Until the queue is closed.
    pub(super) fn run(mut self) {
        loop {
            match self.behind {
                Some(_) => self.queue.wait(Some(Instant::now() + RETRY), Until::Due),
                None => self.queue.wait(self.unsigned_since.map(|since| since + SIGNED_WITHIN), Until::Events),
            }
            // What could not be written is tried again alone: what waits meanwhile is bounded where it waits.
            let written = if self.batch.is_empty() { Ok(()) } else { self.write(Sign::WhenDue) };
            let taken = if written.is_ok() { self.queue.take() } else { super::queue::Taken::default() };
            self.batch.extend(taken.events);
            let is_end = taken.end.is_some();
            let sign = if is_end || self.is_head_due() { Sign::Now } else { Sign::WhenDue };
            let written = written.and_then(|()| self.write(sign));
            if is_end || written.is_err() && self.queue.is_closed() {
                return self.last_words(written);
            }
        }
    }

    fn is_head_due(&self) -> bool {
        self.unsigned_since.is_some_and(|since| since.elapsed() >= SIGNED_WITHIN)
    }

    fn write(&mut self, sign: Sign) -> Result<(), ()> {
        if self.batch.is_empty() && sign == Sign::WhenDue {
            return Ok(());
        }
        match self.log.commit(&self.batch, sign) {
            Ok(()) => {
                self.batch.clear();
                let is_signed = self.log.chain().unsigned == 0;
                self.unsigned_since =
                    if is_signed { None } else { self.unsigned_since.or_else(|| Some(Instant::now())) };
                self.caught_up();
                Ok(())
            }
            Err(error) => {
                self.fell_behind(&error);
                Err(())
            }
        }
    }

    fn fell_behind(&mut self, error: &AuditError) {
        if self.behind.is_none() {
            let since = Instant::now();
            self.behind = Some(since);
            self.queue.set_behind(Some((since, error.to_string())));
            tracing::error!(%error, next = error.next_step(), "the audit log is behind; the host goes on and tries again");
        }
    }

    fn caught_up(&mut self) {
        let Some(since) = self.behind.take() else { return };
        let error = self.queue.health().behind.map(|(_, error)| error).unwrap_or_default();
        self.queue.set_behind(None);
        let for_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(for_ms, "the audit log is written again");
        let told = Told::Note(Note::Delayed { for_ms, error: error.into() });
        self.batch.push(Stamped { time: SystemTime::now(), told });
    }

    fn last_words(mut self, written: Result<(), ()>) {
        // What was learned by writing the last batch, such as that it was late.
        let written = written.and_then(|()| self.write(Sign::Now));
        if written.is_err() {
            let records = self.batch.len() + self.queue.take().events.len();
            tracing::error!(records, "the host ends, and its audit log could not be written: these records are lost");
        }
    }
}
