//! Telling whoever waits how far a transfer is. It is told from the thread that transfers, so it must not block.

use std::time::Duration;

/// Hears of a transfer.
pub trait Progress: Send + Sync {
    /// It begins, of so many bytes in all, or begins again.
    fn begins(&self, total_bytes: u64);
    /// It has come so far.
    fn at(&self, bytes: u64);
    /// It failed, and is tried again after a pause.
    fn again(&self, why: &str, pause: Duration);
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begins(&self, _total_bytes: u64) {}
    fn at(&self, _bytes: u64) {}
    fn again(&self, _why: &str, _pause: Duration) {}
}
