//! Whether the caller of a call has gone, told across the sockets that the call came over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Turns, once, when nobody waits for the answer of a call any more. Clones are one.
#[derive(Clone, Debug)]
pub struct Cancelled {
    /// 0, then 1. None for a caller that stays until the deadline.
    flag: Option<Arc<AtomicU32>>,
}

static NEVER: Cancelled = Cancelled { flag: None };

impl Cancelled {
    /// Of a caller that may go.
    pub fn new() -> Self {
        Self { flag: Some(Arc::default()) }
    }

    /// Of a caller that stays until the deadline.
    pub fn never() -> &'static Self {
        &NEVER
    }

    /// Whether the caller may go at all.
    pub const fn is_possible(&self) -> bool {
        self.flag.is_some()
    }

    /// Whether the caller has gone.
    pub fn is_set(&self) -> bool {
        self.flag.as_ref().is_some_and(|flag| flag.load(Ordering::Acquire) != 0)
    }

    /// The caller has gone.
    pub fn set(&self) {
        if let Some(flag) = &self.flag {
            flag.store(1, Ordering::Release);
        }
    }

    /// What the provider ABI shows: 0, then 1.
    pub fn flag(&self) -> Option<&AtomicU32> {
        self.flag.as_deref()
    }
}

impl Default for Cancelled {
    fn default() -> Self {
        Self::new()
    }
}
