//! What is promised about speed, each number next to its floor, measured in the same run and interleaved with it.
//!
//! Absolute times of a shared machine mean nothing; the ratio is the result. Run it by
//! `cargo run --release -p cofferdam-benches`; `-- --json` prints one JSON object. Exits with 1 when a promise is broken.
#![forbid(unsafe_code)]

mod call_path;
mod floor;

use std::process::ExitCode;

use serde::Serialize;

/// Each round measures the floor and then the real thing.
const ROUNDS: usize = 40;
/// Calls in one round.
const CALLS: u32 = 500;
/// The promise: actor -> provider -> actor on the socket tier, against a blocking UNIX-stream ping-pong.
const RATIO_MAX: f64 = 2.5;

#[derive(Serialize)]
struct Row {
    what: &'static str,
    floor_us: f64,
    measured_us: f64,
    ratio: f64,
    ratio_max: f64,
    holds: bool,
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(floor::CHILD) {
        return floor::serve_child();
    }
    let row = measure();
    if std::env::args().any(|argument| argument == "--json") {
        println!("{}", serde_json::to_string(&row).expect("a row is plain data"));
    } else {
        let Row { what, floor_us, measured_us, ratio, ratio_max, holds } = &row;
        println!("{:52} {:>9} {:>9} {:>6} {:>6}", "p50 over interleaved rounds", "floor µs", "ours µs", "ratio", "max");
        println!(
            "{what:52} {floor_us:>9.1} {measured_us:>9.1} {ratio:>6.2} {ratio_max:>6.1} {}",
            if *holds { "ok" } else { "BROKEN" }
        );
    }
    if row.holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn measure() -> Row {
    let mut floor = floor::PingPong::start().expect("a child process answers");
    let path = call_path::CallPath::start();
    let (mut floors, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floors.push(floor.round(CALLS).expect("the child answers"));
        ours.push(path.round(CALLS));
    }
    path.stop();
    let (floor_us, measured_us) = (median(floors), median(ours));
    let ratio = measured_us / floor_us;
    let what = "actor -> provider -> actor, 64 B, socket tier";
    Row { what, floor_us, measured_us, ratio, ratio_max: RATIO_MAX, holds: ratio <= RATIO_MAX }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
