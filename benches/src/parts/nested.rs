//! A call from actor to actor, next to the work that the called guest does for it: the same call from outside, on the same
//! thread. Both go through the broker, claims and all; no other process or thread is in it.

use std::time::Instant;

use cofferdam_tests::payload;

use crate::callers::Forward;
use crate::load::PATH;
use crate::rounds::{ROUNDS, micros, rounds};
use crate::row::{Row, Unit};
use crate::stage::{Cast, Stage};

const CALLS: u32 = 2_000;
const OPERATION: &str = "HandleRequest";

pub(crate) fn measure() -> Vec<Row> {
    let stage = Stage::set(&[
        Cast { guest: "caller", claims: &[] },
        Cast { guest: "responder", claims: &["wasmcloud:httpserver"] },
    ]);
    let request = payload::get(PATH);
    let forward = Forward::new(stage.public_key(1), OPERATION, &request).times(CALLS);
    let samples = rounds("calls of actors", ROUNDS, || {
        let began = Instant::now();
        for _ in 0..CALLS {
            stage.call(1, OPERATION, &request);
        }
        let own_us = micros(began);
        let began = Instant::now();
        stage.call(0, "Forward", &forward);
        [own_us, micros(began)].map(|us| us / f64::from(CALLS))
    });
    let [own, nested] = samples.medians();
    vec![Row::new("actor -> actor", Unit::Micros, nested).against("the called guest's own work", own).at_most(1.5)]
}
