//! Large calls: an echo next to two copies of as many bytes, there and to where the answer is wanted, between buffers that
//! have been used before.

use std::hint::black_box;
use std::time::{Duration, Instant};

use cofferdam_host::{Actor, ActorLimits, CallLimits};
use cofferdam_tests::artifacts;

use crate::callers::{CONTRACT, Callers};
use crate::rounds::{ROUNDS, median, micros, rounds};
use crate::row::{Row, Unit};
use crate::stamps::Stamps;

const MIB: usize = 1 << 20;
/// Each size with what is promised of it.
const SIZES: [(usize, f64); 4] = [(1, 3.3), (4, 3.0), (16, 3.0), (64, 3.0)];
/// Beside the payload, what tells the guest of it.
const ROOM_BYTES: u32 = 1 << 20;
/// An instance holds argument and answer.
const MEMORY_BYTES: u64 = 256 << 20;
/// In one round; all but the last are measured, from the one to the next.
const CALLS: u32 = 4;

pub(crate) fn measure() -> Vec<Row> {
    let stamps = Stamps::default();
    let authorizer = stamps.clone();
    // It copies nothing by itself: what is measured is what the host and the provider do.
    let signed = artifacts::sign("large", &artifacts::wat("large"), &[CONTRACT], None);
    let actor = Actor::from_slice(&signed).expect("what was just signed verifies");
    let callers = Callers::with("template", vec![actor], |builder| {
        builder
            .with_authorizer(authorizer)
            .with_actor_limits(ActorLimits { memory_bytes_max: MEMORY_BYTES, ..ActorLimits::default() })
            .with_call_limits(CallLimits {
                timeout: Duration::from_secs(60),
                payload_bytes_max: (64 << 20) + ROOM_BYTES,
                ..CallLimits::default()
            })
    });
    SIZES.iter().map(|&(mib, limit)| echo(&callers, &stamps, mib, limit)).collect()
}

fn echo(callers: &Callers, stamps: &Stamps, mib: usize, limit: f64) -> Row {
    let bytes = mib * MIB;
    let told = [CALLS.to_le_bytes(), (bytes as u32).to_le_bytes()].concat();
    let mut copies = Copies { argument: vec![7; bytes], there: vec![0; bytes], answer: vec![0; bytes] };
    let samples = rounds("large calls", ROUNDS, || {
        let floor_us = median(&[copies.there_and_back(), copies.there_and_back(), copies.there_and_back()]);
        stamps.clear();
        assert_eq!(callers.forward(&told), (bytes as u32).to_le_bytes(), "the echo comes back");
        [floor_us, median(&stamps.between_us())]
    });
    let [floor, call] = samples.medians();
    Row::new(format!("{mib} MiB to a provider and back"), Unit::Micros, call)
        .against("two memcpy of it", floor)
        .at_most(limit)
}

/// The floor: the least that an echo takes which is answered in another place than it was asked.
struct Copies {
    argument: Vec<u8>,
    there: Vec<u8>,
    answer: Vec<u8>,
}

impl Copies {
    /// In µs.
    fn there_and_back(&mut self) -> f64 {
        let began = Instant::now();
        black_box(&mut self.there).copy_from_slice(black_box(&self.argument));
        black_box(&mut self.answer).copy_from_slice(black_box(&self.there));
        micros(began)
    }
}
