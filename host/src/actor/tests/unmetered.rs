//! Actors without a meter: what their callers are told, what is bounded, and who goes on.

use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use super::faults::calls_the_host;
use super::*;
use crate::words::RUNAWAYS_OF_ACTOR_MAX;

/// Short, so that what ends by its deadline ends soon.
const TIMEOUT: Duration = Duration::from_millis(200);
/// What a busy machine adds.
const LATE_MAX: Duration = Duration::from_millis(500);
const LONG: Duration = Duration::from_secs(20);

fn load_as(runtime: &ActorRuntime, wasm: &[u8], metering: Metering, outbound: Arc<dyn Outbound>) -> ActorModule {
    runtime.load(ActorSpec { metering, ..spec(wasm, limits(8)) }, outbound).unwrap_or_else(|error| panic!("{error}"))
}

/// One call that must end by its deadline, in one line.
fn in_time(actor: &ActorModule, operation: &str) -> String {
    let began = Instant::now();
    let shown = show(call_within(actor, operation, b"", TIMEOUT));
    assert!(began.elapsed() < TIMEOUT + LATE_MAX, "{operation} took {:?}", began.elapsed());
    shown
}

#[test]
fn a_loop_costs_its_caller_the_deadline_and_nobody_else_anything() {
    let runtime = ActorRuntime::new(ActorRuntimeConfig::default()).unwrap();
    let wasm = wat_guest("faults.wat");
    let [unmetered, other, metered] = [Metering::Off, Metering::Off, Metering::On]
        .map(|metering| load_as(&runtime, &wasm, metering, Arc::new(Nowhere)));
    let runs_on = "actor_runs_on: actor MACTOR did not answer Loop within ";
    for count in 1..=RUNAWAYS_OF_ACTOR_MAX {
        let shown = in_time(&unmetered, "Loop");
        assert!(shown.starts_with(runs_on) && shown.ends_with("and runs on, as it is unmetered"), "{shown}");
        assert_eq!(unmetered.runaways(), count);
        // Beside it a loop with a meter ends, and nothing of it is left.
        assert!(in_time(&metered, "Loop").starts_with("actor_trapped: actor MACTOR trapped in Loop: ran out of fuel"));
        assert_eq!((metered.runaways(), metered.instances().1), (0, 0));
        for good in [&metered, &other] {
            assert_eq!(show(call(good, "Ok", b"")), "ok ok", "beside {count} runaways");
        }
        let refused = "actor_runaways: actor MACTOR is not called: 4 of its calls run on after their deadlines";
        match count {
            RUNAWAYS_OF_ACTOR_MAX => assert!(show(call(&unmetered, "Ok", b"")).starts_with(refused)),
            _ => assert_eq!(show(call(&unmetered, "Ok", b"")), "ok ok", "after {count} runaways"),
        }
    }
    // To stop it is no wait for ever either.
    assert_eq!(unmetered.retire(Deadline::after(Duration::from_millis(10))), RUNAWAYS_OF_ACTOR_MAX);
}

/// What asks the host for anything ends at its deadline, as the host looks at the clock then.
#[test]
fn faults_and_floods_end_as_with_a_meter() {
    let runtime = ActorRuntime::new(ActorRuntimeConfig::default()).unwrap();
    let wasm = wat_guest("faults.wat");
    let [unmetered, metered] =
        [Metering::Off, Metering::On].map(|metering| load_as(&runtime, &wasm, metering, Arc::new(Nowhere)));
    for operation in
        ["Ok", "Reread", "Recurse", "Unreachable", "OutOfBounds", "Silent", "LogFlood", "CallFlood", "Twice"]
    {
        assert_eq!(in_time(&unmetered, operation), in_time(&metered, operation), "{operation}");
        assert_eq!(show(call(&unmetered, "Ok", b"")), "ok ok", "after {operation}");
    }
    assert_eq!((unmetered.runaways(), unmetered.instances().1), (0, 0));
}

#[test]
fn start_code_that_loops_is_an_error_by_the_time_out() {
    let runtime = ActorRuntime::new(ActorRuntimeConfig::default()).unwrap();
    for name in ["start-loop.wat", "start-section-loop.wat", "init-loop.wat"] {
        let wasm = wat_guest(name);
        let mut spec = ActorSpec { metering: Metering::Off, ..spec(&wasm, limits(1)) };
        spec.call_limits.timeout = TIMEOUT;
        let began = Instant::now();
        let error = runtime.load(spec, Arc::new(Nowhere)).map(drop).expect_err(name).to_string();
        assert!(began.elapsed() < TIMEOUT + LATE_MAX, "{name} took {:?}", began.elapsed());
        let expected = "actor MACTOR could not be started: its start code did not end within 200ms and runs on";
        assert!(error.starts_with(expected), "{name}: {error}");
    }
}

/// Host calls that wait until they are told to end, whatever their deadline.
#[derive(Default)]
struct Held {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Outbound for Held {
    fn host_call(&self, _: &HostCall<'_>, _: &mut Vec<u8>) -> Result<(), CallError> {
        drop(self.opened.wait_while(self.open.lock().unwrap(), |open| !*open).unwrap());
        Ok(())
    }
}

#[test]
fn a_runaway_that_ends_is_forgotten_and_its_thread_with_it() {
    let runtime = ActorRuntime::new(ActorRuntimeConfig::default()).unwrap();
    let (wasm, held) = (calls_the_host(), Arc::new(Held::default()));
    let unmetered = load_as(&runtime, &wasm, Metering::Off, held.clone());
    for _ in 0..RUNAWAYS_OF_ACTOR_MAX {
        assert!(in_time(&unmetered, "Any").starts_with("actor_runs_on"));
    }
    assert!(in_time(&unmetered, "Any").starts_with("actor_runaways"));
    assert_eq!(unmetered.instances(), (0, RUNAWAYS_OF_ACTOR_MAX));
    *held.open.lock().unwrap() = true;
    held.opened.notify_all();
    let patience = Deadline::after(LONG);
    while (unmetered.runaways(), unmetered.instances().1) != (0, 0) {
        assert!(!patience.expired(), "{} run on", unmetered.runaways());
        std::thread::yield_now();
    }
    assert_eq!(show(call_within(&unmetered, "Any", b"", LONG)), "ok ");
}
