//! What a start finds of the log: where the chain ends, and what a crash has left of its last line.

use std::fs::OpenOptions;
use std::path::Path;

use super::AuditError;
use super::log::Chain;
use super::record::{Note, Record, Tip};
use super::segments::{self, Lines, Segment};

/// The log as it was left.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    pub(super) segments: Vec<Segment>,
    pub(super) chain: Chain,
    /// Bytes of the newest segment.
    pub(super) bytes: u64,
    /// Nothing may be added to the newest segment.
    pub(super) damaged: bool,
    /// The kind of the last record that is no head; empty where there is none.
    pub(super) last_kind: String,
    /// What the log has to say of it.
    pub(super) notes: Vec<Note>,
}

/// What one segment holds.
#[derive(Default)]
struct Scan {
    last: Option<Record>,
    last_kind: String,
    unsigned: u64,
    bytes: u64,
    torn_bytes: u64,
    damaged_line: Option<u64>,
}

/// Finds the end of the chain, and cuts off a torn line.
pub(super) fn recover(dir: &Path) -> Result<Recovered, AuditError> {
    let segments = segments::list(dir)?;
    let mut found = Recovered::default();
    for (age, segment) in segments.iter().rev().enumerate() {
        let scan = scan(segment)?;
        if age == 0 {
            found.bytes = scan.bytes;
            found.notes.extend(repair(segment, &scan)?);
            found.damaged = scan.damaged_line.is_some();
        }
        if let Some(last) = scan.last {
            found.chain = Chain { tip: last.tip(), unsigned: scan.unsigned };
            found.last_kind = scan.last_kind;
            break;
        }
        // One that has just been made may be empty, and the first of all has none before it.
        if age > 0 && segment.first_seq == 1 || scan.damaged_line.is_some() && segments.len() == age + 1 {
            return Err(AuditError::NoTip { path: dir.to_owned() });
        }
    }
    let begins_late = segments.first().is_some_and(|segment| segment.first_seq > 1);
    if begins_late && found.chain.tip == Tip::default() {
        return Err(AuditError::NoTip { path: dir.to_owned() });
    }
    found.segments = segments;
    Ok(found)
}

/// Reads every line: the last good record counts, even among bad ones.
fn scan(segment: &Segment) -> Result<Scan, AuditError> {
    let mut lines = Lines::open(segment)?;
    let (mut scan, mut number) = (Scan::default(), 0);
    while let Some(line) = lines.next().map_err(AuditError::io("reading a segment", &segment.path))? {
        number += 1;
        if !line.ended {
            scan.torn_bytes = line.bytes.len() as u64;
            break;
        }
        scan.bytes += line.bytes.len() as u64 + 1;
        match Record::parse(&line.bytes) {
            Ok(record) => {
                if record.kind() == "head" {
                    scan.unsigned = 0;
                } else {
                    scan.unsigned += 1;
                    record.kind().clone_into(&mut scan.last_kind);
                }
                scan.last = Some(record);
            }
            Err(_) => scan.damaged_line = scan.damaged_line.or(Some(number)),
        }
    }
    Ok(scan)
}

fn repair(segment: &Segment, scan: &Scan) -> Result<Vec<Note>, AuditError> {
    let mut notes = Vec::new();
    let file = || segment.name().into();
    if let Some(line) = scan.damaged_line {
        // Evidence: left as it is, its torn end too.
        notes.push(Note::SegmentDamaged { file: file(), line });
    } else if scan.torn_bytes > 0 {
        let act = "cutting off the torn last line";
        let cut = OpenOptions::new().write(true).open(&segment.path);
        cut.and_then(|cut| cut.set_len(scan.bytes).and_then(|()| cut.sync_all()))
            .map_err(AuditError::io(act, &segment.path))?;
        notes.push(Note::TailRepaired { file: file(), bytes: scan.torn_bytes });
    }
    Ok(notes)
}
