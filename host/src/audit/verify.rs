//! Whether a log is what its host wrote: each record is held against the one before, and each head against both. Pure.
//!
//! Without the host's key nobody can make a head. So whoever changes, removes or moves anything has to leave out every
//! head after it, and a log may not go on for long without one: not past [`UNSIGNED_MAX`] records, nor past the start of a
//! host, nor into another segment. What can be done is to cut the log at its end, which only a head that was kept
//! elsewhere shows.

use std::fmt;

use super::head::{HeadError, SignedHead};
use super::record::{NotARecord, Record, Tip};

/// At most so many records in a row are signed by no head.
pub const UNSIGNED_MAX: u64 = 256;

/// Where a line stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name of the segment.
    pub file: String,
    /// Counts from 1; 0 is the file as a whole.
    pub line: u64,
    /// The number of the segment's first record, by its name.
    pub file_seq: u64,
}

/// The first thing that is wrong with a log.
#[derive(Debug)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// The number of the record that belongs there.
    pub seq: u64,
    /// What.
    pub problem: Problem,
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The line is no record as it was written.
    #[error("was altered: {0}")]
    Altered(NotARecord),
    /// It is whole, and the one before is another than it continues: one of them was replaced.
    #[error("does not continue the record before it: one of the two was replaced")]
    Unchained,
    /// Records are missing.
    #[error("is missing: record {found} comes next")]
    Removed {
        /// The number of the record that stands there.
        found: u64,
    },
    /// The records are not in their order.
    #[error("is not in its place: record {found} stands there")]
    Reordered {
        /// The number of the record that stands there.
        found: u64,
    },
    /// The head's signature is not the host's.
    #[error("is not the host's: {0}")]
    Head(HeadError),
    /// The head signs something else than what stands before it.
    #[error("signs another record than the one before it")]
    HeadElsewhere,
    /// Where a head has to be, something else is.
    #[error("is not the head that has to be there: {0}")]
    NoHead(&'static str),
    /// Too many records without a head.
    #[error("is one too many: more than {UNSIGNED_MAX} records in a row are signed by no head")]
    Unsigned,
    /// The first record of all is something else than a host's start.
    #[error("is not the start of a host, with which a log begins")]
    NoStart,
    /// The segment has another's name.
    #[error("stands in a segment that is named for record {named}")]
    SegmentName {
        /// The number in the name.
        named: u64,
    },
    /// The oldest segments are gone, and it was not the host that removed them.
    #[error("is the first, and no record says that those before it were removed to make room")]
    FrontMissing,
    /// There is nothing that a host has signed.
    #[error("is signed by no host, nor is any other")]
    NothingSigned,
    /// The log ends too early.
    #[error("is missing: the expected head signs it, and the log ends at record {last}; its tail was cut")]
    Cut {
        /// The last record that is there.
        last: u64,
    },
    /// The expected head signs another record of that number.
    #[error("is another than the expected head signs: the log was rewritten")]
    Rewritten,
    /// The record that the expected head signs went with an old segment.
    #[error("is the one that the expected head signs, and it went with an old segment: expect a later head")]
    Outdated,
}

/// What a good log is like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The host whose signatures count.
    pub host: String,
    /// The number of the first record that is kept; those before were removed to make room.
    pub first_seq: u64,
    /// The end of the chain.
    pub tip: Tip,
    /// Records after the last head.
    pub unsigned: u64,
    /// The last head.
    pub head: Option<SignedHead>,
    /// Heads of records that no head signed before their host was killed.
    pub found_heads: u64,
    /// Bytes of a last line that is not complete: being written now, or torn by a crash.
    pub torn_bytes: u64,
}

/// Takes the lines of a log one after the other.
pub struct Verifier {
    summary: Summary,
    expected: Option<SignedHead>,
    expected_seen: bool,
    /// The record before was the start of a host.
    started: bool,
    /// The last record that the host says it has removed.
    removed_to: u64,
    first: Option<Place>,
    last: Option<Place>,
}

impl Verifier {
    /// For the log of a host; without one, of the host that signed the first head. `expected` is a head that was kept.
    pub fn new(host: Option<&str>, expected: Option<SignedHead>) -> Self {
        let summary = Summary { host: host.unwrap_or_default().to_owned(), ..Summary::default() };
        Self { summary, expected, expected_seen: false, started: false, removed_to: 0, first: None, last: None }
    }

    /// The next line, without its end.
    pub fn line(&mut self, place: &Place, line: &[u8]) -> Result<Record, Finding> {
        let is_first = self.first.is_none();
        let is_first_of_file = self.last.as_ref().is_none_or(|last| last.file != place.file);
        if is_first {
            self.summary.tip.seq = place.file_seq.saturating_sub(1);
        }
        let seq = self.summary.tip.seq + 1;
        let found = |problem| Finding { place: place.clone(), seq, problem };
        let record = Record::parse(line).map_err(|error| found(Problem::Altered(error)))?;
        if record.seq > seq {
            return Err(found(Problem::Removed { found: record.seq }));
        }
        if record.seq < seq {
            return Err(found(Problem::Reordered { found: record.seq }));
        }
        // What the oldest segment continues is gone; its head, which is checked below, is the host's word for it.
        let continues = if is_first && seq > 1 { record.follows() } else { self.summary.tip };
        if record.follows() != continues {
            return Err(found(Problem::Unchained));
        }
        if is_first_of_file && place.file_seq != seq {
            return Err(found(Problem::SegmentName { named: place.file_seq }));
        }
        self.check_kind(&record, is_first_of_file).map_err(found)?;
        self.check_expected(&record).map_err(found)?;
        if is_first {
            (self.first, self.summary.first_seq) = (Some(place.clone()), seq);
        }
        (self.last, self.summary.tip) = (Some(place.clone()), record.tip());
        Ok(record)
    }

    /// The last line, which has no end. It is no fault: a host may be writing it, or was killed while it did.
    pub fn torn(&mut self, place: &Place, line: &[u8]) -> Result<(), Finding> {
        let seq = self.summary.tip.seq + 1;
        let start = format!(r#"{{"seq":{seq},"time":""#);
        let compared = start.len().min(line.len());
        // One that is whole and has something else than its end after it was not torn.
        let is_followed = line.split_last().is_some_and(|(_, whole)| Record::parse(whole).is_ok());
        if start.as_bytes()[..compared] != line[..compared] || is_followed {
            let problem = Problem::Altered(NotARecord::NoHash);
            return Err(Finding { place: place.clone(), seq, problem });
        }
        self.summary.torn_bytes = line.len() as u64;
        Ok(())
    }

    /// After the last line.
    pub fn end(self) -> Result<Summary, Finding> {
        let nowhere = || Place { file: "the log".to_owned(), line: 0, file_seq: 0 };
        let Self { summary, expected, expected_seen, removed_to, first, last, .. } = self;
        let (tip, first_seq) = (summary.tip, summary.first_seq);
        if first_seq > 1 && removed_to < first_seq - 1 {
            let place = first.unwrap_or_else(nowhere);
            return Err(Finding { place, seq: first_seq, problem: Problem::FrontMissing });
        }
        let place = last.unwrap_or_else(nowhere);
        match expected {
            Some(head) if head.tip().seq > tip.seq => {
                let problem = Problem::Cut { last: tip.seq };
                return Err(Finding { place, seq: head.tip().seq, problem });
            }
            Some(head) if !expected_seen => {
                return Err(Finding { place, seq: head.tip().seq, problem: Problem::Outdated });
            }
            _ => {}
        }
        if summary.head.is_none() {
            return Err(Finding { place, seq: tip.seq, problem: Problem::NothingSigned });
        }
        Ok(summary)
    }

    /// The rules of heads, and what else a kind asks for.
    fn check_kind(&mut self, record: &Record, is_first_of_file: bool) -> Result<(), Problem> {
        let must_be_head = if std::mem::take(&mut self.started) {
            Some("one follows each start of a host")
        } else if is_first_of_file && record.seq > 1 {
            Some("a segment begins with one")
        } else {
            None
        };
        match (record.head(), must_be_head) {
            (Some(head), _) => return self.check_head(record, head),
            (None, Some(rule)) => return Err(Problem::NoHead(rule)),
            (None, None) => {}
        }
        self.summary.unsigned += 1;
        self.started = record.kind() == "host_started";
        if self.summary.unsigned > UNSIGNED_MAX {
            return Err(Problem::Unsigned);
        }
        if record.seq == 1 && !self.started {
            return Err(Problem::NoStart);
        }
        if record.kind() == "segment_removed" {
            let last_seq = record.event["last_seq"].as_u64().unwrap_or_default();
            self.removed_to = self.removed_to.max(last_seq);
        }
        Ok(())
    }

    fn check_head(&mut self, record: &Record, head: Result<SignedHead, HeadError>) -> Result<(), Problem> {
        let head = head.map_err(Problem::Head)?;
        if self.summary.host.is_empty() {
            head.host().clone_into(&mut self.summary.host);
        }
        head.check(&self.summary.host).map_err(Problem::Head)?;
        if head.tip() != record.follows() {
            return Err(Problem::HeadElsewhere);
        }
        self.summary.found_heads += u64::from(record.event["found"] == true);
        (self.summary.head, self.summary.unsigned) = (Some(head), 0);
        Ok(())
    }

    fn check_expected(&mut self, record: &Record) -> Result<(), Problem> {
        let Some(expected) = &self.expected else { return Ok(()) };
        // The record itself, or the one before the first that is kept.
        for tip in [record.follows(), record.tip()] {
            if tip.seq == expected.tip().seq {
                if tip != expected.tip() {
                    return Err(Problem::Rewritten);
                }
                self.expected_seen = true;
            }
        }
        Ok(())
    }
}

impl Finding {
    /// The word for programs.
    pub const fn kind(&self) -> &'static str {
        match self.problem {
            Problem::Altered(_) | Problem::Unchained | Problem::SegmentName { .. } => "audit_altered",
            Problem::Removed { .. } | Problem::FrontMissing => "audit_removed",
            Problem::Reordered { .. } => "audit_reordered",
            Problem::Head(_) | Problem::HeadElsewhere => "audit_forged",
            Problem::NoHead(_) | Problem::Unsigned | Problem::NothingSigned | Problem::NoStart => "audit_unsigned",
            Problem::Cut { .. } => "audit_cut",
            Problem::Rewritten => "audit_rewritten",
            Problem::Outdated => "audit_outdated",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place: Place { file, line, .. }, seq, problem } = self;
        match line {
            0 => write!(f, "{file}: record {seq} {problem}"),
            _ => write!(f, "{file}:{line}: record {seq} {problem}"),
        }
    }
}
