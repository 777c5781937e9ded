//! Where a run is, for whoever watches it on a terminal. Said between what is measured, and to nobody else.

use std::io::{IsTerminal, Write, stderr};

/// Told at the begin of each step.
pub(crate) struct Progress {
    what: &'static str,
    steps: usize,
    begun: usize,
    is_watched: bool,
}

impl Progress {
    pub(crate) fn of(what: &'static str, steps: usize) -> Self {
        Self { what, steps, begun: 0, is_watched: stderr().is_terminal() }
    }

    /// How many there are going to be.
    pub(crate) const fn steps(&self) -> usize {
        self.steps
    }

    /// One more begins.
    pub(crate) fn step(&mut self) {
        self.begun += 1;
        if self.is_watched {
            // Whoever watches may have gone.
            let _ = write!(stderr(), "\r\x1b[K{}: {} of {}", self.what, self.begun, self.steps);
        }
    }
}

impl Drop for Progress {
    /// The line is free for what comes next.
    fn drop(&mut self) {
        if self.is_watched {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
