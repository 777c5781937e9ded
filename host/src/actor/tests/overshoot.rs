//! How far past its deadline each shape of loop runs: the meter's weights, held to the clock.

use std::time::{Duration, Instant};

use super::faults::inline;
use super::*;

const TIMEOUT: Duration = Duration::from_millis(250);
/// A guest never ends before its deadline, and at most this much after it: a slice, one bulk operator over the largest
/// memory, and what a busy machine adds.
const OVERSHOOT_MAX: Duration = Duration::from_millis(250);

/// Runs a guest that never ends by itself.
fn check(name: &str, wasm: &[u8]) {
    let actor = load(wasm);
    let begun = Instant::now();
    let shown = show(call_within(&actor, "Any", b"payload", TIMEOUT));
    let ran = begun.elapsed();
    assert!(shown.contains("ran out of fuel"), "{name}: {shown}");
    assert!(ran >= TIMEOUT, "{name} ended after {ran:?}, before its deadline");
    assert!(ran < TIMEOUT + OVERSHOOT_MAX, "{name} ran for {ran:?} of {TIMEOUT:?}");
    eprintln!("{name}: {:?} past its deadline", ran - TIMEOUT);
}

#[test]
fn every_shape_of_loop_ends_at_its_deadline() {
    let looped = |body: &str| inline(&format!("(loop $again {body} (br $again)) (unreachable)"));
    let grown = "(drop (memory.grow (i32.const 992)))";
    let next = "(local.set $i (i32.and (i32.add (local.get $i) (i32.const 4160)) (i32.const 0x1fffff)))";
    for (name, body) in [
        ("tight", String::new()),
        ("walk", format!("{next} (i32.store (local.get $i) (i32.load (local.get $i)))")),
        ("divide", "(local.set $i (i32.div_u (i32.const 7) (i32.or (local.get $i) (i32.const 1))))".to_owned()),
        ("root", "(local.set $f (f64.sqrt (f64.div (f64.add (local.get $f) (f64.const 2)) (f64.const 3))))".to_owned()),
        ("grow", "(drop (memory.grow (i32.const 0)))".to_owned()),
        ("grow too much", "(drop (memory.grow (i32.const 60000)))".to_owned()),
        ("fill", "(memory.fill (i32.const 0) (i32.const 1) (i32.const 0x200000))".to_owned()),
        ("fill all", format!("{grown} (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x4000000))")),
        ("copy all", format!("{grown} (memory.copy (i32.const 0) (i32.const 1) (i32.const 0x3ffffff))")),
        ("fill little", "(memory.fill (i32.const 0) (i32.const 1) (i32.const 1))".to_owned()),
        ("log", "(call $console_log (i32.const 0) (i32.const 100))".to_owned()),
        ("answer", "(call $guest_response (i32.const 0) (i32.const 0x100000))".to_owned()),
        ("answer little", "(call $guest_response (i32.const 0) (i32.const 4095))".to_owned()),
        ("err", "(call $guest_error (i32.const 0) (i32.const 0x10000))".to_owned()),
    ] {
        check(name, &looped(&body));
    }
    for (name, functions) in [
        ("calls", "(func $leaf) (func $run (loop $again (call $leaf) (br $again)))"),
        (
            "calls through a table",
            "(table 1 funcref) (elem (i32.const 0) $leaf) (type $t (func)) (func $leaf) \
            (func $run (loop $again (call_indirect (type $t) (i32.const 0)) (br $again)))",
        ),
        ("branch table", "(func $run (loop $again (block (br_table 1 0 (i32.const 0)))))"),
        (
            "recursion",
            "(func $fib (param i32) (result i32) (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) \
            (then (i32.const 1)) (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) \
            (call $fib (i32.sub (local.get 0) (i32.const 2))))))) (func $run (drop (call $fib (i32.const 70))))",
        ),
    ] {
        let text = format!(
            "(module (memory (export \"memory\") 1) {functions} \
             (func (export \"__guest_call\") (param i32 i32) (result i32) (call $run) (i32.const 1)))"
        );
        check(name, &wat::parse_str(text).unwrap());
    }
}

/// Time spent in a host call counts like any other: a guest that wakes after its deadline does not go on.
#[test]
fn a_guest_does_not_outlive_a_host_call_that_took_its_time() {
    struct Slow;
    impl Outbound for Slow {
        fn host_call(&self, call: &HostCall<'_>, _: &mut Vec<u8>) -> Result<(), CallError> {
            while !call.deadline.expired() {
                std::hint::spin_loop();
            }
            Ok(())
        }
    }
    let runtime = ActorRuntime::new(ActorRuntimeConfig::default()).unwrap();
    let wasm = wat_guest("faults.wat");
    let actor = runtime.load(spec(&wasm, limits(1)), Arc::new(Slow)).unwrap();
    let begun = Instant::now();
    let shown = show(call_within(&actor, "CallFlood", b"", TIMEOUT));
    assert!(shown.contains("ran out of fuel"), "{shown}");
    assert!(begun.elapsed() < TIMEOUT + OVERSHOOT_MAX, "{:?}", begun.elapsed());
}
