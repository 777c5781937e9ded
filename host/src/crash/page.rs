//! A report as people read it: Markdown that reads well as plain text. Everything that a provider said stands in code
//! blocks or is escaped, so that it can't pretend to be ours.

use std::fmt::Write as _;

use cofferdam_claims::deceives;

use super::report::{Call, CrashReport, Ended, Fault, Frame, Line, Payload};

/// How much of a payload stands on one line.
const PAYLOAD_LINE_BYTES_MAX: usize = 100;

/// The page of a report.
pub fn page(report: &CrashReport) -> String {
    let mut page = String::new();
    head(&mut page, report);
    fault(&mut page, report.fault.as_ref());
    backtrace(&mut page, report);
    output(&mut page, report);
    calls(&mut page, "Calls in flight", &report.calls_in_flight);
    calls(&mut page, "Calls before", &report.calls_before);
    resources(&mut page, report);
    // Nor what a terminal does with it.
    page.chars().map(|c| if c != '\n' && deceives(c) { '\u{fffd}' } else { c }).collect()
}

// Writing to a string can't fail.
macro_rules! line {
    ($page:expr) => { $page.push('\n') };
    ($page:expr, $($what:tt)*) => { { let _ = writeln!($page, $($what)*); } };
}

fn head(page: &mut String, report: &CrashReport) {
    let CrashReport { provider, generation, pid, uptime_ms, unconfined, .. } = report;
    line!(page, "# Crash {}", report.id);
    line!(page);
    line!(page, "{}", sentence(&inline(&report.cause)));
    line!(page);
    let ended = match &report.ended {
        Ended::Code(code) => format!("by itself, with exit code {code}"),
        Ended::Signal(signal) => format!("by {}", inline(signal)),
        Ended::ByTheHost => "by the host".to_owned(),
        Ended::Unknown => "in a way that is not known".to_owned(),
    };
    let name = if provider.name.is_empty() { String::new() } else { format!(", named {}", inline(&provider.name)) };
    let contract =
        if provider.contract.is_empty() { String::new() } else { format!(" for {}", inline(&provider.contract)) };
    line!(page, "- at: {}", report.at);
    line!(page, "- provider: {}{contract} (link {}){name}", inline(&provider.id), inline(&provider.link));
    let process = pid.map_or_else(|| "none was ready".to_owned(), |pid| pid.to_string());
    let lived = uptime_ms.map_or_else(String::new, |ms| format!(", lived {}", seconds(ms)));
    line!(page, "- process: {process}, generation {generation}{lived}");
    line!(page, "- ended: {ended}");
    line!(page, "- next: {}", inline(&report.decision));
    let sandbox = match pid {
        None => "not known".to_owned(),
        Some(_) if unconfined.is_empty() => "complete".to_owned(),
        Some(_) => format!("not in force: {}", unconfined.join(", ")),
    };
    line!(page, "- sandbox: {sandbox}");
}

fn fault(page: &mut String, fault: Option<&Fault>) {
    let Some(Fault { signal, why, address, pc, thread, system_call }) = fault else { return };
    heading(page, "Fault, by the word of the process");
    line!(page, "- signal: {} ({why})", inline(signal));
    if let Some(call) = system_call {
        let name = call.name.as_deref().unwrap_or("without a name here");
        line!(page, "- system call: {name} ({})", call.number);
    }
    if let Some(address) = address {
        line!(page, "- address: {address}");
    }
    line!(page, "- executing: {pc}");
    line!(page, "- thread: {} {}", thread.id, inline(&thread.name));
}

fn backtrace(page: &mut String, report: &CrashReport) {
    heading(page, "Backtrace");
    if !report.backtrace.frames.is_empty() {
        fenced(page, report.backtrace.frames.iter().enumerate().map(|(number, frame)| in_words(number, frame)));
    }
    if let Some(remark) = &report.backtrace.remark {
        if !report.backtrace.frames.is_empty() {
            line!(page);
        }
        line!(page, "{}", sentence(&inline(remark)));
    }
}

fn in_words(number: usize, frame: &Frame) -> String {
    let Frame { module, offset, function, source, inlined, address } = frame;
    let place = if module.is_empty() { address.clone() } else { format!("{module}+{offset}") };
    let function = function.as_deref().unwrap_or("?");
    let source = source.as_ref().map_or_else(String::new, |source| format!("\n       at {source}"));
    let inlined = if *inlined { " (inlined)" } else { "" };
    format!("{number:>3}  {function}{inlined}  {place}{source}")
}

fn output(page: &mut String, report: &CrashReport) {
    heading(page, "Last output");
    let output = &report.output;
    if output.lines.is_empty() {
        line!(page, "It wrote nothing.");
        return;
    }
    if output.earlier > 0 {
        line!(page, "{} lines came before these.", output.earlier);
        line!(page);
    }
    fenced(page, output.lines.iter().map(|Line { stream, text }| format!("{stream:>6}  {text}")));
}

fn calls(page: &mut String, title: &str, calls: &[Call]) {
    heading(page, title);
    if calls.is_empty() {
        line!(page, "None.");
        return;
    }
    let rows = calls.iter().map(|call| {
        let Call { actor, operation, age_ms, deadline_ms, ended, payload } = call;
        let ended = match ended {
            None => String::new(),
            Some(end) if end.given_up => format!(", given up by its caller after {} ms", end.took_ms),
            Some(end) if end.ok => format!(", answered after {} ms", end.took_ms),
            Some(end) => format!(", failed after {} ms", end.took_ms),
        };
        let deadline = deadline_ms.map_or_else(String::new, |ms| format!(", may take {ms} ms"));
        let payload = payload.as_ref().map(payload_in_words).unwrap_or_default();
        format!("{operation}  from {actor}: {age_ms} ms ago{deadline}{ended}{payload}")
    });
    fenced(page, rows);
}

/// Lines of ASCII, whatever the bytes are.
fn payload_in_words(Payload { start, bytes, left_out }: &Payload) -> String {
    let rest = if *left_out == 0 { String::new() } else { format!(", the last {left_out} left out") };
    let mut text = format!("\n  payload of {bytes} bytes{rest}");
    let mut room = 0;
    for byte in start {
        let escaped = byte.escape_ascii();
        if room < escaped.len() {
            text.push_str("\n    ");
            room = PAYLOAD_LINE_BYTES_MAX;
        }
        room -= escaped.len();
        text.extend(escaped.map(char::from));
    }
    text
}

fn resources(page: &mut String, report: &CrashReport) {
    heading(page, "Resources");
    let Some(used) = &report.resources else {
        line!(page, "Not known: the process was not reaped yet.");
        return;
    };
    line!(page, "- computed: {} in the provider, {} in the kernel", seconds(used.user_ms), seconds(used.system_ms));
    line!(page, "- memory: {} KiB at most", used.memory_bytes_peak >> 10);
    if let Some(bytes) = used.group_memory_bytes_peak {
        line!(page, "- memory that was charged to it, with what the kernel held for it: {} KiB at most", bytes >> 10);
    }
    line!(page, "- page faults: {} major, {} minor", used.page_faults_major, used.page_faults_minor);
}

fn heading(page: &mut String, title: &str) {
    line!(page);
    line!(page, "## {title}");
    line!(page);
}

/// Lines as they are. Only we begin a line without four spaces, so nobody ends the block but us.
fn fenced(page: &mut String, lines: impl Iterator<Item = String>) {
    for text in lines {
        for text in text.lines() {
            line!(page, "    {text}");
        }
    }
}

/// Foreign words on a line of ours.
fn inline(text: &str) -> String {
    let mut inline = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' => inline.push(' '),
            // What makes links, code and HTML. Names are full of the rest, which means nothing within a line.
            '`' | '<' | '[' | '\\' => {
                inline.push('\\');
                inline.push(character);
            }
            character => inline.push(character),
        }
    }
    inline
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

fn seconds(ms: u64) -> String {
    if ms < 10_000 { format!("{ms} ms") } else { format!("{}.{} s", ms / 1000, ms % 1000 / 100) }
}

#[cfg(test)]
mod tests;
