//! What is promised about speed, each number next to its floor, measured in the same run and interleaved with it.
//!
//! Absolute times of a shared machine mean nothing; the ratio is the result. Run it by
//! `cargo run --release -p cofferdam-benches`; `-- --json` prints one JSON object, `-- starts` measures one part only.
//! Exits with 1 when a promise is broken, and with 2 when it does not understand what it is told.
#![forbid(unsafe_code)]

mod beside;
mod call_path;
mod floor;
mod progress;
mod stamps;
mod start;

use std::process::ExitCode;

use cofferdam_host::Tier;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use progress::Progress;
use serde::Serialize;

/// What can be measured by itself.
const PARTS: [&str; 3] = ["calls", "starts", "beside"];

/// Each round measures the floor and then the real thing.
const ROUNDS: usize = 40;
/// Calls in one round.
const CALLS: u32 = 500;
/// Starts of a provider, each after the floor's.
const STARTS: usize = 100;
/// Deaths that are recovered from.
const KILLS: usize = 40;

/// One promise, or a number next to one.
#[derive(Serialize)]
struct Row {
    what: &'static str,
    floor: &'static str,
    floor_us: f64,
    measured_us: f64,
    /// What is compared with the promise: a ratio, or a difference in µs.
    value: f64,
    /// None where nothing is promised.
    max: Option<f64>,
    unit: &'static str,
    holds: bool,
}

impl Row {
    fn ratio(what: &'static str, floor: &'static str, [floor_us, measured_us]: [f64; 2], max: f64) -> Self {
        let value = measured_us / floor_us;
        Self { what, floor, floor_us, measured_us, value, max: Some(max), unit: "x", holds: value <= max }
    }

    fn above(what: &'static str, floor: &'static str, [floor_us, measured_us]: [f64; 2], max_us: f64) -> Self {
        let value = measured_us - floor_us;
        Self { what, floor, floor_us, measured_us, value, max: Some(max_us), unit: "µs", holds: value <= max_us }
    }

    /// Nothing is promised.
    fn told(what: &'static str, floor: &'static str, [floor_us, measured_us]: [f64; 2]) -> Self {
        let value = measured_us / floor_us;
        Self { what, floor, floor_us, measured_us, value, max: None, unit: "x", holds: true }
    }
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(floor::CHILD) {
        return floor::serve_child();
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_json = |argument: &&String| *argument == "--json";
    let parts: Vec<&str> = arguments.iter().filter(|one| !is_json(one)).map(String::as_str).collect();
    if let Some(strange) = parts.iter().find(|part| !PARTS.contains(part)) {
        eprintln!("there is no part `{strange}`: say --json, or some of {}", PARTS.join(", "));
        return ExitCode::from(2);
    }
    let is_wanted = |part: &str| parts.is_empty() || parts.contains(&part);
    let mut rows = Vec::new();
    if is_wanted("calls") {
        rows.extend(all_calls());
    }
    if is_wanted("starts") {
        rows.extend(starts());
    }
    let beside = if is_wanted("beside") { beside::measure().to_vec() } else { Vec::new() };
    if arguments.iter().any(|argument| is_json(&argument)) {
        println!("{}", serde_json::json!({"rows": rows, "beside": beside}));
    } else {
        print_table(&rows);
        beside::print_table(&beside);
    }
    if rows.iter().all(|row| row.holds) && beside.iter().all(beside::Beside::holds) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn print_table(rows: &[Row]) {
    println!("{:48} {:28} {:>9} {:>9} {:>12} {:>12}", "p50", "floor", "floor µs", "ours µs", "", "at most");
    for Row { what, floor, floor_us, measured_us, value, max, unit, holds } in rows {
        let max = max.map_or("-".to_owned(), |max| format!("{max} {unit}"));
        let (value, verdict) = (format!("{value:.2} {unit}"), if *holds { "ok" } else { "BROKEN" });
        println!("{what:48} {floor:28} {floor_us:>9.1} {measured_us:>9.1} {value:>12} {max:>12} {verdict}");
    }
}

/// With both processors, with one for both sides, and on the socket.
fn all_calls() -> [Row; 3] {
    let floor = "UNIX-stream ping-pong";
    let free = calls(Tier::Lanes);
    // Threads and processes that a thread starts may run where it may.
    let pinned = std::thread::spawn(|| {
        pin().expect("a thread may choose a processor of its own");
        calls(Tier::Lanes)
    });
    let pinned = pinned.join().expect("no panic");
    [
        Row::ratio("actor -> provider -> actor, 64 B", floor, free, 0.1),
        Row::ratio("the same, all on one processor", "the same, on one processor", pinned, 0.8),
        Row::ratio("the same, on the socket tier", floor, calls(Tier::Socket), 2.5),
    ]
}

/// To the first processor that this thread may use.
fn pin() -> nix::Result<()> {
    let this = Pid::from_raw(0);
    let all = sched_getaffinity(this)?;
    let first = (0..CpuSet::count()).find(|processor| all.is_set(*processor) == Ok(true)).unwrap_or_default();
    let mut one = CpuSet::new();
    one.set(first)?;
    sched_setaffinity(this, &one)
}

fn calls(tier: Tier) -> [f64; 2] {
    let mut floor = floor::PingPong::start().expect("a child process answers");
    let path = call_path::CallPath::start(tier);
    let (mut floors, mut ours) = (Vec::new(), Vec::new());
    let mut progress = Progress::of("calls", ROUNDS);
    for _ in 0..ROUNDS {
        progress.step();
        floors.push(floor.round(CALLS).expect("the child answers"));
        ours.push(path.round(CALLS));
    }
    path.stop();
    [median(floors), median(ours)]
}

fn starts() -> [Row; 3] {
    let provider = start::Start::prepare();
    let (mut floors, mut spawns, mut archives) = (Vec::new(), Vec::new(), Vec::new());
    let mut progress = Progress::of("starts", STARTS);
    for _ in 0..STARTS {
        progress.step();
        floors.push(provider.floor());
        let took = provider.start();
        spawns.push(took.from_spawn_us);
        archives.push(took.from_archive_us);
    }
    let recovered = median(provider.recoveries(Progress::of("recoveries", KILLS)));
    provider.stop();
    let (floor, spawn, archive) = (median(floors), median(spawns), median(archives));
    [
        Row::ratio("spawn -> sandboxed provider that takes calls", "exec + dlopen", [floor, spawn], 3.0),
        Row::told("archive -> the same, claims and hashes checked", "exec + dlopen", [floor, archive]),
        Row::above("kill -9 -> first call that succeeds", "the spawn above", [spawn, recovered], 10_000.0),
    ]
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
