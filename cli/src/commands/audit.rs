//! `cofferdam audit`: whether the audit log of a host is what the host wrote, what it says, and a head to keep.
//!
//! It reads files and asks no host, so it works on a copy, too. A log that is not good is refused (3); one that could
//! not be read is a failure (1) or a wrong file (2), so that a script tells the two apart.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cofferdam_claims::{KeyKind, load_seed};
use cofferdam_host::audit::{self, AuditError, Expected, FOLDER, Finding, HeadError, Record, SignedHead, Summary};
use serde::Serialize;
use serde_json::{Value, json};

use crate::connect::state_dir;
use crate::failure::{Exit, Failure};
use crate::inputs;
use crate::output::{Output, Style};
use crate::table::{Cell, Sheet, Table};

/// A file that holds a head is no larger.
const HEAD_FILE_BYTES_MAX: u64 = 4096;

/// Verify the audit log of a host, print a signed head of it, or show it
///
/// Reads files only: the host need not run.
#[derive(Debug, clap::Args)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AuditCommand {
    Verify(VerifyArgs),
    Head(HeadArgs),
    Show(ShowArgs),
}

/// Find the first record that was altered, removed or moved
///
/// Exits with 0 when the log is good, with 3 when it is not, with 1 or 2 when it cannot be read.
#[derive(Debug, clap::Args)]
#[command(after_help = VERIFY_HELP)]
struct VerifyArgs {
    #[command(flatten)]
    log: LogArgs,
    /// A signed head that was kept, or a file that holds one: also finds a tail that was cut off
    #[arg(long, value_name = "HEAD")]
    expect: Option<String>,
}

/// Verify the log and print its last signed head, to be kept where the host's user cannot write
#[derive(Debug, clap::Args)]
#[command(after_help = HEAD_HELP)]
struct HeadArgs {
    #[command(flatten)]
    log: LogArgs,
}

/// Show what was recorded, verified or not
#[derive(Debug, clap::Args)]
#[command(after_help = SHOW_HELP)]
struct ShowArgs {
    #[command(flatten)]
    log: LogArgs,
    /// Only what came about later: a time such as 2026-01-31T12:00:00Z, or how long ago, such as 2h
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<SystemTime>,
}

/// Which log.
#[derive(Debug, clap::Args)]
struct LogArgs {
    /// The directory of the log itself, such as a copy [default: audit in the state directory]
    #[arg(long, value_name = "DIR", conflicts_with = "state_dir")]
    dir: Option<PathBuf>,
    /// The host's state directory [env: COFFERDAM_STATE_DIR] [default: that of the running host, else
    /// NAMESPACE in /var/lib/cofferdam for root, else in
    /// $XDG_STATE_HOME/cofferdam; where that is not set, in ~/.local/state/cofferdam]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// The host's namespace [env: COFFERDAM_NAMESPACE] [default: default]
    #[arg(long, visible_alias = "nsprefix", value_name = "NAME")]
    namespace: Option<String>,
    /// The host's public key (N…) [default: that of the expected head, else of host.nk beside the log, else the one that
    /// the log names]
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
}

const VERIFY_HELP: &str = "\
Example:
  cofferdam audit verify --expect head.txt
  cofferdam audit verify --dir copy/audit --host NHOSTKEY";

const HEAD_HELP: &str = "\
Example:
  cofferdam audit head > head.txt";

const SHOW_HELP: &str = "\
Example:
  cofferdam audit show --since 2h
  cofferdam audit show -o json --dir copy/audit";

/// A good log, for programs.
#[derive(Serialize)]
struct Good<'a> {
    verified: bool,
    host: &'a str,
    first_seq: u64,
    last_seq: u64,
    unsigned: u64,
    signed_later: u64,
    torn_bytes: u64,
    expected: bool,
    host_by: &'static str,
}

pub(crate) fn execute(args: AuditArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        AuditCommand::Verify(args) => verify(&args, output),
        AuditCommand::Head(args) => head(&args, output),
        AuditCommand::Show(args) => show(&args, output),
    }
}

fn verify(args: &VerifyArgs, output: &Output) -> Result<(), Failure> {
    let expected = args.expect.as_deref().map(kept_head).transpose()?;
    let is_expected = expected.is_some();
    let (summary, host_by) = args.log.verified(expected)?;
    if host_by == "log" {
        output.note("note: the host's key is the one that the log names; give --host to be sure whose log this is");
    }
    let good = Good {
        verified: true,
        host: &summary.host,
        first_seq: summary.first_seq,
        last_seq: summary.tip.seq,
        unsigned: summary.unsigned,
        signed_later: summary.found_heads,
        torn_bytes: summary.torn_bytes,
        expected: is_expected,
        host_by,
    };
    output.result(&good, || {
        let mut sheet = Sheet::default();
        sheet.cell("audit log", Cell::styled("good", Style::Good)).row("host", good.host);
        sheet.row("records", format!("{} to {}", good.first_seq, good.last_seq));
        sheet.row("not signed yet", format!("{} at the end", good.unsigned));
        let many = |n: u64| (n > 0).then_some(n);
        sheet.maybe("signed at the next start", many(good.signed_later).map(|n| format!("{n} times, after a crash")));
        sheet.maybe("last line", many(good.torn_bytes).map(|n| format!("not complete, {n} bytes")));
        let tail =
            if is_expected { "not cut: it holds what the expected head signs" } else { "not checked: give --expect" };
        sheet.row("tail", tail);
        sheet.render(output)
    })
}

fn head(args: &HeadArgs, output: &Output) -> Result<(), Failure> {
    let (summary, _) = args.log.verified(None)?;
    let Some(head) = summary.head else {
        return Err(Failure::new(Exit::Refused, "audit_unsigned", "the log has no signed head", "start its host"));
    };
    let tip = head.tip();
    let value = json!({"head": head.to_string(), "host": head.host(), "seq": tip.seq, "hash": tip.hash.to_string()});
    output.result(&value, || format!("{head}\n"))
}

fn show(args: &ShowArgs, output: &Output) -> Result<(), Failure> {
    let dir = args.log.dir()?;
    let mut records = Vec::new();
    let is_later = |record: &Record| {
        let time = humantime::parse_rfc3339(&record.time).ok();
        args.since.is_none_or(|since| time.is_none_or(|time| time >= since))
    };
    let unreadable = audit::read(&dir, |record| records.extend(Some(record).filter(is_later))).map_err(unreadable)?;
    if unreadable > 0 {
        output.note(&format!("warning: {unreadable} lines are no records; see `cofferdam audit verify`"));
    }
    let value = |record: &Record| json!({"seq": record.seq, "time": record.time, "event": record.event});
    let values: Vec<Value> = records.iter().map(value).collect();
    output.result(&json!({"records": values, "unreadable": unreadable}), || {
        let mut table = Table::new(["SEQ", "TIME", "KIND", "WHAT"]);
        // Heads are for the verifier.
        for record in records.iter().filter(|record| record.kind() != "head") {
            let cells =
                [Cell::new(record.seq), Cell::new(&record.time), Cell::new(record.kind()), Cell::new(what(record))];
            table.row(cells);
        }
        table.render(output)
    })
}

/// The fields of an event in a line; those that say nothing are left out.
fn what(record: &Record) -> String {
    let fields = record.event.as_object().into_iter().flatten();
    let shown = fields.filter(|(name, value)| *name != "kind" && !matches!(value, Value::Null) && *value != "");
    let field = |(name, value): (&String, &Value)| match value {
        Value::String(text) => format!("{name}={text}"),
        Value::Array(items) => {
            let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            format!("{name}={}", items.join(","))
        }
        other => format!("{name}={other}"),
    };
    shown.map(field).collect::<Vec<_>>().join(" ")
}

impl LogArgs {
    /// Verifies the log, and says by what the host's key is known.
    fn verified(&self, expected: Option<SignedHead>) -> Result<(Summary, &'static str), Failure> {
        let dir = self.dir()?;
        if let Some(host) = &self.host {
            KeyKind::Host.check(host)?;
        }
        let (host, host_by) = match (&self.host, &expected) {
            (Some(host), _) => (Some(host.clone()), "flag"),
            (None, Some(_)) => (None, "head"),
            (None, None) => match key_beside(&dir)? {
                Some(host) => (Some(host), "key_file"),
                None => (None, "log"),
            },
        };
        let expected = Expected::new(host, expected).map_err(|error| forged(&error))?;
        let verified = audit::verify(&dir, expected, |_| {}).map_err(unreadable)?;
        Ok((verified.map_err(|finding| refused(&finding))?, host_by))
    }

    fn dir(&self) -> Result<PathBuf, Failure> {
        if let Some(dir) = &self.dir {
            return Ok(dir.clone());
        }
        Ok(state_dir(self.state_dir.as_deref(), self.namespace.as_deref())?.join(FOLDER))
    }
}

/// The host's key, where the log lies in its state directory and the key can be read.
fn key_beside(dir: &Path) -> Result<Option<String>, Failure> {
    let path = dir.join("../host.nk");
    if path.exists() { Ok(Some(load_seed(KeyKind::Host, &path)?.public_key())) } else { Ok(None) }
}

/// A head as it was given, or the first word of the file of that name.
fn kept_head(text: &str) -> Result<SignedHead, Failure> {
    if text.starts_with("cofferdam-audit-head:") {
        return SignedHead::parse(text).map_err(|error| forged(&error));
    }
    let bytes = inputs::read_file(Path::new(text), HEAD_FILE_BYTES_MAX)?;
    let kept = String::from_utf8_lossy(&bytes);
    // As `-o json` prints it, too.
    let of_json = serde_json::from_str::<Value>(&kept).ok().and_then(|value| Some(value["head"].as_str()?.to_owned()));
    SignedHead::parse(&of_json.unwrap_or_else(|| kept.into_owned())).map_err(|error| {
        let message = format!("{text}: {error}");
        Failure::new(Exit::Usage, "no_head", message, "give what `cofferdam audit head` has printed")
    })
}

/// A time, or how long ago; for clap.
fn since(text: &str) -> Result<SystemTime, String> {
    let ago = || SystemTime::now().checked_sub(humantime::parse_duration(text).ok()?);
    let time = humantime::parse_rfc3339_weak(text).ok();
    time.or_else(ago).ok_or_else(|| "give a time, such as 2026-01-31T12:00:00Z, or how long ago, such as 2h".to_owned())
}

fn refused(finding: &Finding) -> Failure {
    let next = match finding.kind() {
        "audit_outdated" => "expect a later head",
        "audit_unsigned" => {
            "compare the log with what you know of its host; `cofferdam audit show` shows what is there"
        }
        _ => "keep a copy of the directory as evidence; do not trust what the log says from there on",
    };
    Failure::new(Exit::Refused, finding.kind(), finding.to_string(), next)
}

fn forged(error: &HeadError) -> Failure {
    let (exit, kind) = match error {
        HeadError::Malformed(_) | HeadError::Key(_) => (Exit::Usage, "no_head"),
        _ => (Exit::Refused, "audit_forged"),
    };
    Failure::new(exit, kind, format!("the expected head: {error}"), "give what `cofferdam audit head` has printed")
}

fn unreadable(error: AuditError) -> Failure {
    let exit = match &error {
        AuditError::Io { source, .. } if source.kind() != ErrorKind::NotFound => Exit::Failed,
        _ => Exit::Usage,
    };
    Failure::new(exit, "audit_unreadable", error.to_string(), error.next_step())
}
