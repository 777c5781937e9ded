//! One call between its caller and the thread that serves it: who comes first decides, under one mutex.
//!
//! ```text
//! Queued --serve--> Running --end--> Ended --wait--> (the caller has it)
//!    \--wait, late--> Left   \--wait, late--> Left, and a runaway until the end
//! ```
#![allow(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use nix::unistd::{Pid, gettid};
use parking_lot::{Condvar, Mutex};

use super::super::guest::panic_text;
use super::super::runaways::{Runaway, Runaways};
use super::Fate;
use crate::words::Deadline;

/// The lowest priority: such a thread gets what nobody else wants.
const NICE_LOWEST: i32 = 19;
/// No single wait is longer; a far deadline takes several.
const WAIT_MAX: Duration = Duration::from_secs(3_600);

pub(super) struct Slot<T> {
    stage: Mutex<Stage<T>>,
    ended: Condvar,
}

enum Stage<T> {
    Queued,
    /// On this thread.
    Running(Pid),
    /// With what it came to, or what its panic said.
    Ended(Result<T, String>),
    /// The caller has gone.
    Left(Option<Runaway>),
}

/// How far the call was when its caller went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    Queued,
    Running,
}

impl<T> Slot<T> {
    pub(super) fn new() -> Self {
        Self { stage: Mutex::new(Stage::Queued), ended: Condvar::new() }
    }

    /// Runs the call on this thread, unless its caller has gone already.
    pub(super) fn serve(&self, work: impl FnOnce() -> T) -> Fate {
        {
            let mut stage = self.stage.lock();
            if !matches!(*stage, Stage::Queued) {
                return Fate::Serves;
            }
            *stage = Stage::Running(gettid());
        }
        let came_to = catch_unwind(AssertUnwindSafe(work)).map_err(|panic| panic_text(panic.as_ref()));
        let mut stage = self.stage.lock();
        if let Stage::Left(runaway) = &mut *stage {
            // Nobody wants it; it is dropped with no lock held.
            let runaway = runaway.take();
            drop(stage);
            drop((came_to, runaway));
            return Fate::Ends;
        }
        *stage = Stage::Ended(came_to);
        drop(stage);
        self.ended.notify_one();
        Fate::Serves
    }

    /// Waits for the end until then. A call that goes on is a runaway from here.
    pub(super) fn wait(&self, by: Deadline, runaways: &Runaways) -> Result<Result<T, String>, Left> {
        let mut stage = self.stage.lock();
        loop {
            if matches!(*stage, Stage::Ended(_))
                && let Stage::Ended(came_to) = std::mem::replace(&mut *stage, Stage::Left(None))
            {
                return Ok(came_to);
            }
            let remaining = by.remaining();
            if remaining.is_zero() {
                break;
            }
            self.ended.wait_for(&mut stage, remaining.min(WAIT_MAX));
        }
        let Stage::Running(thread) = *stage else {
            *stage = Stage::Left(None);
            return Err(Left::Queued);
        };
        *stage = Stage::Left(Some(runaways.count()));
        // Under the lock: until it is free the thread can't end, and its id can't be another's.
        step_back(thread);
        Err(Left::Running)
    }
}

/// Gives a thread of ours the lowest priority. One that keeps its own costs the others time, and is no error.
fn step_back(thread: Pid) {
    // SAFETY: the call takes numbers only and reads or writes no memory of this process. That the id is that of a
    // thread of ours, and not one that was given to another since, is the caller's to hold, and only a matter of whose
    // priority is lowered.
    let lowered = unsafe { libc::setpriority(libc::PRIO_PROCESS, thread.as_raw().cast_unsigned(), NICE_LOWEST) };
    if lowered != 0 {
        let error = std::io::Error::last_os_error();
        tracing::warn!("a runaway keeps its priority: {error}");
    }
}
