//! One database: reads from the last commit, writes through the one committer thread.
//!
//! Start reading at [`Store::run`]. Nothing here knows links, calls or the wire.

mod committer;
mod edit;
mod entry;
mod read;
mod tables;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use redb::{Database, ReadableDatabase};

pub(crate) use entry::Kind;

use crate::contract::Answer;
use crate::error::OperationError;
use crate::operation::Operation;
use committer::Committer;
use read::{Bounds, Reader};

/// An open database. Dropping it ends the committer, after what waits is written.
#[derive(Debug)]
pub(crate) struct Store {
    database: Arc<Database>,
    committer: Committer,
    answer_bytes_max: usize,
}

impl Store {
    /// Takes over an open database, makes its tables if it is new, and refuses one of another layout.
    pub(crate) fn new(database: Database, answer_bytes_max: usize) -> Result<Self, OperationError> {
        tables::prepare(&database)?;
        let database = Arc::new(database);
        let committer = Committer::start(Arc::clone(&database))?;
        Ok(Self { database, committer, answer_bytes_max })
    }

    /// Does one operation. A write is on the disk when this returns its answer.
    pub(crate) fn run(&self, operation: Operation, timeout: Duration) -> Result<Answer, OperationError> {
        match operation {
            Operation::Read(read) => {
                let snapshot = self.database.begin_read()?;
                let bounds = Bounds { deadline: Instant::now() + timeout, answer_bytes_max: self.answer_bytes_max };
                Reader::new(&snapshot, now_ms(), bounds)?.answer(&read)
            }
            Operation::Write(write) => self.committer.write(write, timeout),
        }
    }

    /// Whether writes still work: after a fault of the disk they don't.
    pub(crate) fn is_writing(&self) -> bool {
        self.committer.is_running()
    }
}

/// The time of day: expiry outlives restarts, so it can't be monotonic.
fn now_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}
