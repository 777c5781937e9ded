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

/// The value that this part of the sorted ones does not exceed.
pub(crate) fn quantile(sorted: &[f64], part: f64) -> f64 {
    let rank = (sorted.len() as f64 * part).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        for (part, expected) in [(0.0, 1.0), (0.5, 100.0), (0.99, 198.0), (1.0, 200.0)] {
            assert_eq!(quantile(&values, part), expected, "{part}");
        }
        assert_eq!(quantile(&[7.0], 0.99), 7.0);
    }
}
