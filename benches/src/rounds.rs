//! Rounds: the floor, the peer and ours in turns, so that whatever the machine does in the meantime happens to all of them.

use std::time::{Duration, Instant};

use crate::progress::Progress;

/// Rounds of which the median is taken, where a part has no reason for more.
pub(crate) const ROUNDS: usize = 20;

/// What each of `N` gave in each round.
pub(crate) struct Samples<const N: usize>(pub(crate) [Vec<f64>; N]);

/// Runs rounds that measure each of `N` once, in the order in which they are to take turns.
pub(crate) fn rounds<const N: usize>(
    what: &'static str,
    count: usize,
    mut round: impl FnMut() -> [f64; N],
) -> Samples<N> {
    let mut samples = [const { Vec::new() }; N];
    let mut progress = Progress::of(what, count);
    for _ in 0..count {
        progress.step();
        for (sample, value) in samples.iter_mut().zip(round()) {
            sample.push(value);
        }
    }
    Samples(samples)
}

impl<const N: usize> Samples<N> {
    /// The median of each.
    pub(crate) fn medians(self) -> [f64; N] {
        self.quantiles(0.5)
    }

    /// The same quantile of each.
    pub(crate) fn quantiles(&self, part: f64) -> [f64; N] {
        self.0.each_ref().map(|sample| quantile(sample, part))
    }
}

/// The value that this part of them does not exceed. Of none, it is no number.
pub(crate) fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() as f64 * part).ceil() as usize;
    let last = sorted.len().max(1);
    sorted.get(rank.clamp(1, last) - 1).copied().unwrap_or(f64::NAN)
}

pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

pub(crate) fn micros(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e6
}

/// Until everybody sleeps, or as long as is looked at.
#[expect(clippy::disallowed_methods, reason = "that nothing happens meanwhile is what is measured")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        for (part, expected) in [(0.0, 1.0), (0.5, 100.0), (0.99, 198.0), (1.0, 200.0)] {
            assert_eq!(quantile(&values, part), expected, "{part}");
        }
        assert_eq!(quantile(&[7.0], 0.99), 7.0);
        assert!(quantile(&[], 0.5).is_nan());
    }
}
