//! WASI preview 1: what is served, what is denied, and commands that only run.

use super::*;

#[test]
fn every_function_answers_its_errno() {
    let actor = load(&wat_guest("wasi-denied.wat"));
    let answers = String::from_utf8(call(&actor, "Any", b"").unwrap()).unwrap();
    insta::assert_snapshot!(answers);
}

#[test]
fn hostile_pointers_are_an_errno() {
    let actor = load(&wat_guest("wasi-pointers.wat"));
    let errnos = call(&actor, "Any", b"").unwrap();
    assert_eq!(errnos, [21, 21, 28, 21, 21, 21]);
}

#[test]
fn a_command_runs_once_and_answers_no_calls() {
    let exits_with = |code: u32| {
        let text = format!(
            r#"(module (import "wasi_unstable" "proc_exit" (func $exit (param i32))) (memory (export "memory") 1)
            (func (export "_start") (call $exit (i32.const {code}))))"#
        );
        wat::parse_str(text).unwrap()
    };
    for wasm in [wat_guest("wasi-hello.wat"), exits_with(0)] {
        let actor = load(&wasm);
        assert!(!actor.is_callable());
        assert_eq!(
            show(call(&actor, "HandleRequest", b"")),
            "actor_not_callable: actor MACTOR answers no calls: it is a WASI command, which ran when it was started"
        );
    }
    for wasm in [wat_guest("wasi-exit.wat"), exits_with(3)] {
        let error = try_load(&wasm, limits(1)).unwrap_err().to_string();
        assert_eq!(error, "actor MACTOR could not be started: it ended with proc_exit(3)");
    }
}

#[test]
fn leaving_by_proc_exit_in_a_call_is_a_trap() {
    let actor = load(&wat_guest("wasi-exit-in-call.wat"));
    for code in [0, 7] {
        let shown = show(call(&actor, "Any", &[code]));
        assert_eq!(shown, format!("actor_trapped: actor MACTOR trapped in Any: exited: proc_exit({code})"));
    }
}
