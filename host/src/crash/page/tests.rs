//! What the pages of reports look like, and that JSON keeps all of them. Nothing but reports is made here.

use super::*;
use crate::crash::report::{Backtrace, CallEnd, Output, Provider, REPORT_VERSION, Resources, SystemCall, Thread};

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn call(operation: &str, ended: Option<CallEnd>) -> Call {
    Call {
        actor: "MCALLER".to_owned(),
        operation: operation.to_owned(),
        age_ms: 12,
        deadline_ms: Some(2000),
        ended,
        payload: None,
    }
}

/// The beginning of a payload that would like to be something else.
fn odd() -> Payload {
    let mut start: Vec<u8> = (0..64).chain(*b"\"quoted\" \x7f\xff\r\n# not a heading").collect();
    start.extend("…".bytes());
    Payload { bytes: 4000, left_out: 4000 - start.len() as u64, start }
}

fn full() -> CrashReport {
    let frame = |number: u64, function: Option<String>, source: Option<String>| Frame {
        address: format!("{:#x}", 0x7f00_0000_0000 + number),
        module: "library".to_owned(),
        offset: format!("{number:#x}"),
        function,
        source,
        inlined: number == 0x10,
    };
    CrashReport {
        version: REPORT_VERSION,
        id: "20251122T220000123Z-VABC-3".to_owned(),
        at: "2025-11-22T22:00:00.123Z".to_owned(),
        provider: Provider {
            id: "VABC".to_owned(),
            link: "default".to_owned(),
            contract: "test:probe".to_owned(),
            name: "probe `rm -rf` <b>".to_owned(),
        },
        generation: 3,
        pid: Some(4711),
        uptime_ms: Some(61_250),
        cause: "killed by signal 11 (SIGSEGV)".to_owned(),
        ended: Ended::Signal("SIGSEGV".to_owned()),
        decision: "it is restarted now".to_owned(),
        fault: Some(Fault {
            signal: "SIGSYS".to_owned(),
            why: "the sandbox refused a system call".to_owned(),
            address: text("0x10"),
            pc: "0x7f0000000010".to_owned(),
            thread: Thread { id: 9, name: "call-0".to_owned() },
            system_call: Some(SystemCall { number: 59, name: text("execve") }),
        }),
        backtrace: Backtrace {
            frames: vec![
                frame(0x10, text("probe::inner"), text("src/lib.rs:7")),
                frame(0x11, text("probe::outer"), None),
                Frame { address: "0x12".to_owned(), ..Frame::default() },
            ],
            remark: text("the stack could not be followed any further: it ends"),
        },
        resources: Some(Resources {
            user_ms: 12,
            system_ms: 61_000,
            memory_bytes_peak: 9 << 20,
            group_memory_bytes_peak: Some(11 << 20),
            page_faults_major: 1,
            page_faults_minor: 900,
        }),
        unconfined: vec!["no new code".to_owned()],
        calls_in_flight: vec![
            call("Fault", None),
            Call { payload: Some(odd()), ..call("Echo", None) },
            Call { payload: Some(Payload { start: b"abc".to_vec(), bytes: 3, left_out: 0 }), ..call("Echo", None) },
        ],
        calls_before: vec![
            call("Echo", Some(CallEnd { took_ms: 1, ok: true, given_up: false })),
            call("Echo", Some(CallEnd { took_ms: 2, ok: false, given_up: false })),
        ],
        output: Output {
            lines: vec![
                Line { stream: "stderr".to_owned(), text: "``` # not a heading".to_owned() },
                Line { stream: "log".to_owned(), text: "…".to_owned() },
            ],
            earlier: 7,
        },
    }
}

#[test]
fn a_full_report_reads_so() {
    insta::assert_snapshot!("full", page(&full()));
}

#[test]
fn an_empty_report_reads_so() {
    insta::assert_snapshot!("empty", page(&CrashReport::default()));
}

#[test]
fn a_report_goes_to_json_and_back() {
    let json = serde_json::to_string_pretty(&full()).unwrap();
    assert_eq!(serde_json::from_str::<CrashReport>(&json).unwrap(), full());
    insta::assert_snapshot!("json", json);
}
