//! A host with many actors and many shims, next to one with one of each: a call, and `cofferdam ps`.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cofferdam_host::Actor;
use cofferdam_tests::artifacts;

use crate::callers::{CONTRACT, Callers};
use crate::progress::Progress;
use crate::rounds::{ROUNDS, median, rounds};
use crate::row::{Row, Unit};

const ACTORS: usize = 1_000;
const SHIMS: usize = 100;
const CALLS: u32 = 500;

pub(crate) fn measure() -> Vec<Row> {
    let (one, many) = (Callers::start(1, |builder| builder), Callers::start(1, |builder| builder));
    load(&many);
    let [alone, loaded] = rounds("calls of a loaded host", ROUNDS, || [one.round(CALLS), many.round(CALLS)]).medians();
    let ps_ms: Vec<f64> = (0..ROUNDS).map(|_| ps(&many).as_secs_f64() * 1e3).collect();
    vec![
        Row::new("a call, 1,000 actors and 100 shims loaded", Unit::Micros, loaded)
            .against("one actor and one shim", alone)
            .at_most(1.3),
        Row::new("`cofferdam ps` of that host", Unit::Millis, median(&ps_ms)).at_most(100.0),
    ]
}

/// The others that are there, each linked, and ready to be called. They are small: compiling a thousand large ones, each with
/// claims of its own, takes minutes.
fn load(callers: &Callers) {
    let wasm = artifacts::wat("faults");
    let mut progress = Progress::of("actors and shims", ACTORS - 1);
    callers.runtime.block_on(async {
        let mut provider = String::new();
        for number in 1..ACTORS {
            progress.step();
            if number % (ACTORS / SHIMS) == 1 && number / (ACTORS / SHIMS) < SHIMS - 1 {
                provider = callers.rig.provider("template", CONTRACT).await;
            }
            let actor = Actor::from_slice(&artifacts::sign("small", &wasm, &[CONTRACT], None));
            let actor = callers.rig.start_actor(actor.expect("what was just signed verifies")).await;
            callers.rig.link(&actor, CONTRACT, &provider, &[]).await.expect("the link is accepted");
        }
    });
}

/// From the start of the program to its end.
fn ps(callers: &Callers) -> Duration {
    let began = Instant::now();
    let status = Command::new(artifacts::programs().join("cofferdam"))
        .arg("ps")
        .arg("--socket")
        .arg(callers.rig.folder.path().join("host.sock"))
        .stdout(Stdio::null())
        .status();
    assert!(status.expect("the program is built").success(), "a host answers ps");
    began.elapsed()
}
