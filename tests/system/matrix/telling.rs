//! What callers, operators and reports say, in a line or two, without what differs from run to run.

use cofferdam_faults::{Cell, Fault, ShimFault};
use cofferdam_host::control::{ErrorReport, ProviderReport};
use cofferdam_host::crash::{Call, CrashReport};
use cofferdam_host::{CallError, HostError};
use cofferdam_tests::golden::redact;

/// Blame, outcome, kind and text of an error, or the answer.
pub(super) fn told(ended: &Result<Vec<u8>, HostError>) -> String {
    match ended {
        Ok(answer) => format!("ok: {}", redact(&answer.escape_ascii().to_string())),
        Err(error) => {
            // What the actor was told is what it passes on.
            let report = match error {
                HostError::Call(CallError::ActorFailed { cause: Some(cause), .. }) => ErrorReport::from(&**cause),
                error => error.report(),
            };
            let ErrorReport { blame, outcome, kind, message, .. } = report;
            redact(&format!("{}, {}, {kind}: {message}", blame.as_str(), outcome.as_str()))
        }
    }
}

/// A row of `ps`.
pub(super) fn in_words(row: &ProviderReport) -> String {
    let ProviderReport { state, generation, restarts, .. } = row;
    let exit = row.last_exit.as_deref().unwrap_or("none");
    let why = row.why.as_ref().map_or_else(String::new, |why| format!("; {}", redact(why)));
    redact(&format!("{state}, start {generation}, restarted {restarts} times, last exit: {exit}")) + &why
}

/// A report, in two lines.
pub(super) fn died(report: &CrashReport) -> String {
    let fault = report.fault.as_ref().map_or_else(
        || report.backtrace.remark.clone().unwrap_or_default(),
        |fault| format!("{} ({})", fault.signal, fault.why),
    );
    let ended = serde_json::to_value(&report.ended).expect("it is plain data");
    let call = |call: &Call| {
        let given_up = call.ended.as_ref().map_or("", |_| ", given up");
        format!("{}{given_up}", call.operation)
    };
    let calls: Vec<_> = report.calls_in_flight.iter().map(call).collect();
    let CrashReport { generation, cause, decision, .. } = report;
    // A moment at random.
    let decision = decision.split(" in ").next().unwrap_or_default();
    [cause.clone(), format!("start {generation}, {ended}, in flight: {calls:?}, next: {decision}; {fault}")]
        .map(|line| redact(&line))
        .join("\n            ")
}

/// The row, without which rule somebody broke first who wrote anything anywhere.
pub(super) fn without_chance(cell: Cell, row: &str) -> String {
    const WHERE: &str = "it broke the protocol on its memory for calls to actors: ";
    if cell.fault != Fault::Shim(ShimFault::LaneCorruption) {
        return row.to_owned();
    }
    let line =
        |line: &str| line.split_once(WHERE).map_or_else(|| line.to_owned(), |(told, _)| format!("{told}{WHERE}…"));
    row.lines().map(|told| line(told) + "\n").collect()
}
