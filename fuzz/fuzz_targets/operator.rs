//! The lines on the operator's socket: what a host is asked, and what a command line believes of its answer.
//!
//! The operator's socket imports nothing of the host but `words`, so the two are compiled here by their paths, as they stand,
//! without the WebAssembly compiler that the rest of the host needs.
#![no_main]

#[path = "../../host/src/control/mod.rs"]
#[allow(dead_code, unused_imports, unfulfilled_lint_expectations)]
mod control;
#[path = "../../host/src/words/mod.rs"]
#[allow(dead_code, unused_imports, unfulfilled_lint_expectations)]
mod words;

use cofferdam_fuzz::errors;
use control::protocol::{CALL_TIMEOUT_MAX, NAME_BYTES_MAX, Reply, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    match Request::from_line(line) {
        Ok(request) => {
            if let Request::Call(call) = &request {
                assert!(!call.timeout().is_zero() && call.timeout() <= CALL_TIMEOUT_MAX);
                assert!(call.actor.len() <= NAME_BYTES_MAX && call.operation.len() <= NAME_BYTES_MAX);
            }
            assert_eq!(Request::from_line(&one_line(request.to_line())).ok(), Some(request));
        }
        Err(report) => {
            errors::check(&report.message, &report.next);
            same(&Reply::Error(report));
        }
    }
    if let Ok(reply) = Reply::from_line(line) {
        same(&reply);
    }
});

/// What is written is read as the same.
fn same(reply: &Reply) {
    assert_eq!(Reply::from_line(&one_line(reply.to_line())).as_ref(), Ok(reply));
}

/// A line without its end, of which it has one.
fn one_line(mut line: Vec<u8>) -> Vec<u8> {
    assert_eq!(line.pop(), Some(b'\n'));
    assert!(!line.contains(&b'\n'));
    line
}
