//! What does not load, and what the error says.

use std::time::{Duration, Instant};

use super::super::instance::Death;
use super::*;
use crate::words::Trap;

#[test]
fn what_is_no_actor_is_refused_with_its_reason() {
    let table = [
        ("guest-call-global.wat", "the module exports __guest_call as a global, waPC has"),
        ("guest-call-type.wat", "the module exports __guest_call as "),
        ("import-memory.wat", "the module imports memory of env, which the host does not offer"),
        ("import-module.wat", "the module imports do_it of elsewhere, which the host does not offer"),
        ("import-name.wat", "the module imports __spawn of wapc, which the host does not offer"),
        (
            "import-type.wat",
            "the module imports __console_log of wapc as (i32, i32, i32) -> (), which is (i32, i32) -> ()",
        ),
        ("no-guest-call.wat", "the module exports neither __guest_call nor _start"),
        ("memory-none.wat", "the module exports no memory by the name `memory`"),
        ("memory-renamed.wat", "the module exports no memory by the name `memory`"),
        ("memory-64.wat", "actor MACTOR: not a valid WebAssembly module: "),
        ("memory-huge.wat", "the module starts with a memory of 4294967296 bytes, the limit is 67108864 bytes"),
        ("table-huge.wat", "the module starts with a table of "),
        ("data-outside.wat", "actor MACTOR could not be started: access out of bounds"),
        ("init-trap.wat", "actor MACTOR could not be started: unreachable executed"),
        ("start-trap.wat", "actor MACTOR could not be started: unreachable executed"),
    ];
    for (name, expected) in table {
        let error = try_load(&wat_guest(name), limits(1)).expect_err(name).to_string();
        assert!(error.starts_with(expected), "{name}: {error}");
    }
    for (bytes, expected) in [
        (&b""[..], "actor MACTOR: not a valid WebAssembly module"),
        (b"\0asm\x01\0\0\0", "the module exports no memory"),
        (b"\x7fELF and more", "actor MACTOR: not a valid WebAssembly module"),
        (&built_guest("echo.wasm")[..10_000], "actor MACTOR: not a valid WebAssembly module"),
    ] {
        let error = try_load(bytes, limits(1)).expect_err(expected).to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

/// On each side of the limits.
#[test]
fn the_memory_and_table_it_starts_with_are_bounded() {
    let module = |pages: u32, elements: u32| {
        let text = format!(
            "(module (memory (export \"memory\") {pages}) (table {elements} funcref) \
             (func (export \"__guest_call\") (param i32 i32) (result i32) (i32.const 1)))"
        );
        wat::parse_str(text).unwrap()
    };
    let limits = ActorLimits { memory_bytes_max: 4 << 16, table_elements_max: 10, ..limits(1) };
    assert!(try_load(&module(4, 10), limits).is_ok());
    assert!(matches!(
        try_load(&module(5, 10), limits),
        Err(ActorError::MemoryTooLarge { bytes: 0x50000, limit: 0x40000 })
    ));
    assert!(matches!(try_load(&module(4, 11), limits), Err(ActorError::TableTooLarge { elements: 11, limit: 10 })));
}

#[test]
fn endless_start_code_ends_by_the_time_out() {
    for name in ["init-loop.wat", "start-loop.wat", "start-section-loop.wat"] {
        let wasm = wat_guest(name);
        let mut spec = spec(&wasm, limits(1));
        spec.call_limits.timeout = Duration::from_millis(200);
        let begun = Instant::now();
        let runtime = ActorRuntime::new(ActorRuntimeConfig::default()).unwrap();
        let error = runtime.load(spec, Arc::new(Nowhere)).expect_err(name).to_string();
        assert!(error.starts_with("actor MACTOR could not be started: ran out of fuel"), "{name}: {error}");
        assert!(begun.elapsed() < Duration::from_secs(1), "{name}");
    }
}

/// Who is to blame for an instance that a call did not get.
#[test]
fn an_instance_that_is_not_made_has_its_own_blame() {
    // Its start takes longer than the call has, and each call but the first needs a new instance.
    let text = r#"(module (memory (export "memory") 1)
        (func (export "_start") (local $i i32)
          (loop $more (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
                                             (i32.const 300000000)))))
        (func (export "__guest_call") (param i32 i32) (result i32) unreachable))"#;
    let actor = load(&wat::parse_str(text).unwrap());
    assert!(show(call(&actor, "Any", b"")).starts_with("actor_trapped"));
    let late = call_within(&actor, "Any", b"", Duration::from_millis(20)).unwrap_err();
    assert_eq!((late.kind(), late.outcome()), ("deadline_exceeded", Outcome::NotDelivered), "{late}");

    let origin = WasmCloudEntity::system();
    let invocation = Invocation {
        origin: &origin,
        target: &origin,
        operation: "Any",
        payload: b"",
        deadline: Deadline::after(Duration::ZERO),
        cancelled: Cancelled::never(),
        depth: 0,
    };
    let trap = |trap| Death::Trap { trap, detail: String::new() };
    for (death, kind) in [
        (trap(Trap::OutOfFuel), "deadline_exceeded"),
        (trap(Trap::Unreachable), "actor_not_instantiated"),
        (Death::Exited(1), "actor_not_instantiated"),
        (Death::Abandoned, "caller_gone"),
        (Death::NotMade("out of address space".to_owned()), "internal"),
        (Death::HostPanicked("it panicked".to_owned()), "internal"),
    ] {
        assert_eq!(actor.instances.not_made(&death, &invocation, Duration::ZERO).kind(), kind, "{death:?}");
    }
}

#[test]
fn entry_points_run_once_and_in_order() {
    let actor = load(&wat_guest("init-order.wat"));
    for _ in 0..2 {
        assert_eq!(show(call(&actor, "Any", b"")), "ok _start, wapc_init");
    }
    // A guest may declare a larger maximum than it is granted: it is refused when it grows.
    assert_eq!(load(&wat_guest("memory-maximum.wat")).instances(), (1, 0));
}

/// Loading and dropping on several threads: code of a dropped module must not be found under the next one's addresses.
#[test]
fn actors_come_and_go_on_several_threads() {
    let wasm = wat_guest("faults.wat");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let actor = load(&wasm);
                    assert_eq!(show(call(&actor, "Ok", b"")), "ok ok");
                    assert!(show(call(&actor, "IndirectNull", b"")).contains("uninitialized element"));
                }
            });
        }
    });
}
