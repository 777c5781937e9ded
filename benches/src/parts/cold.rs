//! A call while both sides sleep: the first after a pause that is longer than anybody looks for work. The ping-pong is
//! measured in the same way.
//!
//! The guest has no clock. What is measured lies between two stamps of the host's authorizer, which is asked on the way of
//! each call: of two calls in a row, the first is cold and ends where the second begins.

use std::time::Duration;

use crate::callers::{Callers, echoes};
use crate::peers::ping_pong::PingPong;
use crate::rounds::{pause, rounds};
use crate::row::{Row, Unit};
use crate::stamps::Stamps;

/// Enough for a p99 of which ten values are beyond.
const ROUNDS: usize = 1_000;
/// Whoever looks for work instead of sleeping does so for 100 µs at most.
const ASLEEP: Duration = Duration::from_millis(3);

pub(crate) fn measure() -> Vec<Row> {
    let (mut floor, stamps) = (PingPong::start(), Stamps::default());
    let authorizer = stamps.clone();
    let callers = Callers::start(1, |builder| builder.with_authorizer(authorizer));
    let two = echoes(2);
    let samples = rounds("cold calls", ROUNDS, || {
        pause(ASLEEP);
        let floor_us = floor.round(1);
        pause(ASLEEP);
        stamps.clear();
        callers.forward(&two);
        [floor_us, stamps.between_us()[0]]
    });
    let row = |what, quantile, limit| {
        let [floor, call] = samples.quantiles(quantile);
        Row::new(what, Unit::Micros, call).against("the ping-pong, asleep too", floor).at_most(limit)
    };
    vec![row("a call while both sides sleep, p50", 0.5, 1.5), row("the same, p99", 0.99, 3.0)]
}
