//! Moments, noted on the path of a call, and what lies between them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// More than are noted between two [`Stamps::clear`].
const STAMPS_MAX: usize = 1024;

/// Clones share them.
#[derive(Clone)]
pub(crate) struct Stamps {
    noted: Arc<Mutex<Vec<Instant>>>,
}

impl Default for Stamps {
    fn default() -> Self {
        Self { noted: Arc::new(Mutex::new(Vec::with_capacity(STAMPS_MAX))) }
    }
}

impl Stamps {
    pub(crate) fn note(&self) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() < STAMPS_MAX {
            noted.push(Instant::now());
        }
    }

    pub(crate) fn clear(&self) {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// From each to the next, in µs.
    pub(crate) fn between_us(&self) -> Vec<f64> {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs_f64() * 1e6).collect()
    }
}
