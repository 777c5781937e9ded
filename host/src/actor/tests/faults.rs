//! How calls end: each operation of the nasty guests, then a call that works on the same actor.

use std::time::{Duration, Instant};

use super::*;

/// Short, so that what ends by its deadline ends soon.
const TIMEOUT: Duration = Duration::from_millis(300);

/// Calls the operation, compares how it ended, then calls `Ok`.
fn check(actor: &ActorModule, operation: &str, expected: &str) {
    let begun = Instant::now();
    let shown = show(call_within(actor, operation, b"payload", TIMEOUT));
    assert!(shown.starts_with(expected), "{operation}: {shown}");
    assert!(begun.elapsed() < TIMEOUT * 3, "{operation} took {:?}", begun.elapsed());
    assert_eq!(show(call(actor, "Ok", b"")), "ok ok", "after {operation}");
    assert_eq!(actor.instances().1, 0, "{operation} left an instance busy");
}

const TRAPPED: &str = "actor_trapped: actor MACTOR trapped in";

#[test]
fn every_fault_costs_its_own_call_only() {
    let actor = load(&wat_guest("faults.wat"));
    let failed = |operation: &str, message: &str| {
        format!("actor_failed: actor MACTOR answered {operation} with an error: {message}")
    };
    let table = [
        ("Loop", format!("{TRAPPED} Loop: ran out of fuel: the deadline of its call passed while it ran")),
        ("Recurse", format!("{TRAPPED} Recurse: stack overflow: call stack exhausted")),
        ("Grow", "ok \\xf2\\x03\\x00\\x00".to_owned()),
        ("Bomb", format!("{TRAPPED} Bomb: unreachable executed: unreachable")),
        ("Unreachable", format!("{TRAPPED} Unreachable: unreachable executed")),
        ("OutOfBounds", format!("{TRAPPED} OutOfBounds: access out of bounds")),
        ("FarOutOfBounds", format!("{TRAPPED} FarOutOfBounds: access out of bounds")),
        ("DivideByZero", format!("{TRAPPED} DivideByZero: illegal operation: integer divide by zero")),
        ("DivideOverflow", format!("{TRAPPED} DivideOverflow: illegal operation: integer overflow")),
        ("TruncateNan", format!("{TRAPPED} TruncateNan: illegal operation: invalid conversion")),
        ("IndirectType", format!("{TRAPPED} IndirectType: illegal operation: indirect call type mismatch")),
        ("IndirectNull", format!("{TRAPPED} IndirectNull: illegal operation: uninitialized element")),
        ("IndirectBounds", format!("{TRAPPED} IndirectBounds: access out of bounds")),
        ("LogFlood", format!("{TRAPPED} LogFlood: ran out of fuel")),
        ("CallFlood", format!("{TRAPPED} CallFlood: ran out of fuel")),
        ("Silent", failed("Silent", "it gave no reason")),
        ("Two", failed("Two", "it gave no reason")),
        ("NoResponse", "ok ".to_owned()),
        ("ErrorButOne", "ok ".to_owned()),
        ("ResponseButZero", failed("ResponseButZero", "it gave no reason")),
        ("Twice", "ok second".to_owned()),
        ("ErrorTwice", failed("ErrorTwice", "second")),
        ("ErrorNotUtf8", failed("ErrorNotUtf8", "no\u{fffd}!")),
        ("Empty", "ok ".to_owned()),
        ("Reread", "ok payload".to_owned()),
        ("NothingYet", "ok ok".to_owned()),
        ("SomethingElse", failed("SomethingElse", "unknown operation")),
    ];
    for (operation, expected) in &table {
        check(&actor, operation, expected);
    }
}

#[test]
fn bulk_operators_end_by_the_deadline() {
    let actor = load(&wat_guest("bulk.wat"));
    for operation in ["Fill", "Copy", "Init", "TableFill", "TableCopy", "TableInit"] {
        check(&actor, operation, &format!("{TRAPPED} {operation}: ran out of fuel"));
    }
    check(&actor, "FillOnce", "ok ok");
    check(&actor, "FillOutside", &format!("{TRAPPED} FillOutside: access out of bounds"));
    let elements = call(&actor, "TableGrow", b"").unwrap();
    assert!(u32::from_le_bytes(elements.try_into().unwrap()) <= ActorLimits::default().table_elements_max);
}

#[test]
fn pointers_outside_the_memory_are_protocol_violations() {
    let actor = load(&wat_guest("pointers.wat"));
    for (operation, import) in [
        ("LogPast", "__console_log"),
        ("LogWrap", "__console_log"),
        ("LogHuge", "__console_log"),
        ("LogNegative", "__console_log"),
        ("RequestOp", "__guest_request"),
        ("RequestPayload", "__guest_request"),
        ("RequestWrap", "__guest_request"),
        ("ResponsePast", "__guest_response"),
        ("ResponseWrap", "__guest_response"),
        ("ResponseHuge", "__guest_response"),
        ("ErrorPast", "__guest_error"),
        ("ErrorHuge", "__guest_error"),
        ("CallBinding", "__host_call"),
        ("CallNamespace", "__host_call"),
        ("CallOperation", "__host_call"),
        ("CallPayload", "__host_call"),
        ("CallWrap", "__host_call"),
        ("CallHuge", "__host_call"),
        ("NotUtf8", "__host_call"),
        ("HostError", "__host_error"),
    ] {
        check(&actor, operation, &format!("{TRAPPED} {operation}: waPC protocol violation: {import}: "));
    }
    check(&actor, "LastBytes", "ok ok");
    check(&actor, "EmptyAtEnd", "ok ");
}

#[test]
fn payloads_and_depth_are_bounded() {
    let actor = load(&built_guest("caller.wasm"));
    let largest = vec![b'x'; 1 << 20];
    assert!(call(&actor, "Echo", &largest).unwrap() == largest);
    let one_more = vec![b'x'; (1 << 20) + 1];
    assert_eq!(
        show(call(&actor, "Echo", &one_more)),
        "payload_too_large: argument for actor MACTOR of 1048577 bytes exceeds the limit of 1048576 bytes"
    );
    let answers_more = load(&inline(r#"(call $guest_response (i32.const 0) (i32.const 0x100001)) (i32.const 1)"#));
    assert_eq!(
        show(call(&answers_more, "Any", b"")),
        "payload_too_large: answer of actor MACTOR of 1048577 bytes exceeds the limit of 1048576 bytes"
    );
    let (origin, deadline) = (WasmCloudEntity::system(), Deadline::after(TIMEOUT));
    for (depth, expected) in
        [(15, "ok "), (16, "too_deep: call to actor MACTOR refused: 16 nested calls are the limit")]
    {
        let target = &origin;
        let invocation = Invocation {
            origin: &origin,
            target,
            operation: "Echo",
            payload: b"",
            deadline,
            cancelled: Cancelled::never(),
            depth,
        };
        let mut reply = Vec::new();
        assert_eq!(show(actor.call(&invocation, &mut reply).map(|()| reply)), expected);
    }
    assert!(show(call_within(&actor, "Echo", b"", Duration::ZERO)).starts_with("deadline_exceeded"));
}

/// A module with all of waPC, 32 pages of memory and the given body of `__guest_call`.
pub(super) fn inline(body: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
          (import "wapc" "__guest_response" (func $guest_response (param i32 i32)))
          (import "wapc" "__guest_error" (func $guest_error (param i32 i32)))
          (import "wapc" "__console_log" (func $console_log (param i32 i32)))
          (memory (export "memory") 32)
          (func (export "__guest_call") (param $op_len i32) (param $len i32) (result i32) (local $i i32) (local $f f64)
            {body}))"#
    );
    wat::parse_str(text).unwrap()
}

/// A module that makes one host call and answers.
pub(super) fn calls_the_host() -> Vec<u8> {
    let text = r#"(module
      (import "wapc" "__host_call" (func $host_call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "__guest_call") (param i32 i32) (result i32)
        (call $host_call (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
                         (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))))"#;
    wat::parse_str(text).unwrap()
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// Whatever two numbers a guest passes, the call ends as an answer, an error or a trap of its own.
    #[test]
    fn any_pointer_and_length_is_survived(ptr: i32, len: i32) {
        let body = format!(
            "(call $console_log (i32.const {ptr}) (i32.const {len})) \
             (call $guest_response (i32.const {ptr}) (i32.const {len})) (i32.const 1)"
        );
        let actor = load(&inline(&body));
        let inside = u64::from(ptr.cast_unsigned()) + u64::from(len.cast_unsigned()) <= 32 << 16;
        match call(&actor, "Any", b"") {
            Ok(reply) => proptest::prop_assert!(inside && reply.len() == len as usize),
            Err(CallError::PayloadTooLarge { .. }) => proptest::prop_assert!(inside),
            Err(error) => proptest::prop_assert!(!inside, "{error}"),
        }
    }
}
