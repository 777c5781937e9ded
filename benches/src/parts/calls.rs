//! One call in flight, 64 bytes: next to its floors, next to the same call without a process between, where both sides
//! share a processor, and on sockets.

use cofferdam_host::Tier;

use crate::callers::{CONTRACT, Callers, echoes};
use crate::peers::ping_pong::PingPong;
use crate::peers::ring::Ring;
use crate::processor::{Which, pin};
use crate::rounds::{micros, rounds};
use crate::row::{Row, Unit};
use crate::stage::{Cast, Stage};

const ROUNDS: usize = 40;
/// Calls in one round.
const CALLS: u32 = 500;
/// The same where a call takes less than the call of a clock is worth.
const CALLS_IN_PROCESS: u32 = 5_000;

const FLOOR: &str = "UNIX-stream ping-pong";

/// With both processors, with one for both sides, and on the socket.
pub(crate) fn measure() -> Vec<Row> {
    let [floor, call] = beside_ping_pong(Tier::Lanes);
    let mut rows = vec![row("actor -> provider -> actor, 64 B", call).against(FLOOR, floor).at_most(0.1)];
    rows.extend(beside_in_process());
    // Threads and processes that a thread starts may run where it may.
    let pinned = std::thread::spawn(|| {
        pin(Which::First).expect("a thread may choose a processor of its own");
        beside_ping_pong(Tier::Lanes)
    });
    let [floor, call] = pinned.join().expect("no panic");
    rows.push(row("the same, all on one processor", call).against("the same, on one processor", floor).at_most(0.8));
    let [floor, call] = beside_ping_pong(Tier::Socket);
    rows.push(row("the same, on the socket tier", call).against(FLOOR, floor).at_most(2.5));
    rows
}

fn row(what: &str, call_us: f64) -> Row {
    Row::new(what, Unit::Micros, call_us)
}

fn beside_in_process() -> [Row; 2] {
    let callers = Callers::start(1, |builder| builder);
    let stage = Stage::set(&[Cast { guest: "caller", claims: &[CONTRACT] }]);
    let samples = rounds("calls", ROUNDS, || [Ring::start().round(CALLS), in_process(&stage), callers.round(CALLS)]);
    let [ring, in_process, call] = samples.medians();
    [
        row("the same, above in process", call).above("the same provider in process", in_process).at_most(1.0),
        row("the same, next to what memory can do", call).against("shared-memory ring, spinning", ring),
    ]
}

/// The mean of one call in µs, to a provider in this process.
fn in_process(stage: &Stage) -> f64 {
    let payload = echoes(CALLS_IN_PROCESS);
    let began = std::time::Instant::now();
    stage.call(0, "Forward", &payload);
    micros(began) / f64::from(CALLS_IN_PROCESS)
}

fn beside_ping_pong(tier: Tier) -> [f64; 2] {
    let mut floor = PingPong::start();
    let callers = Callers::start(1, |builder| builder.with_tier(tier));
    rounds("calls", ROUNDS, || [floor.round(CALLS), callers.round(CALLS)]).medians()
}
