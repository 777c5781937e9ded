//! Reading a log as it lies in a directory: the host's own, while it runs or not, or a copy. Nothing is ever written.

use std::path::Path;

use super::AuditError;
use super::head::{HeadError, SignedHead};
use super::record::Record;
use super::segments::{self, Line, Lines, Segment};
use super::verify::{Finding, Place, Problem, Summary, Verifier};

/// What a log is held against.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    host: Option<String>,
    head: Option<SignedHead>,
}

impl Expected {
    /// The host's public key and a head that was kept. Where no key is given, the head names it, which must have signed
    /// it; without either, the first head in the log does, and then the log vouches for itself.
    pub fn new(host: Option<String>, head: Option<SignedHead>) -> Result<Self, HeadError> {
        let host = host.or_else(|| head.as_ref().map(|head| head.host().to_owned()));
        if let (Some(host), Some(head)) = (&host, &head) {
            head.check(host)?;
        }
        Ok(Self { host, head })
    }
}

/// Verifies the log in this directory, from its first record to its last, in bounded memory. `each` is given every record
/// up to the first that is wrong.
pub fn verify(
    dir: &Path,
    Expected { host, head }: Expected,
    mut each: impl FnMut(&Record),
) -> Result<Result<Summary, Finding>, AuditError> {
    let mut verifier = Verifier::new(host.as_deref(), head);
    let mut reader = Reader::open(dir)?;
    while let Some((place, line)) = reader.next()? {
        let is_last = reader.is_last_segment();
        let outcome = if !line.ended && is_last {
            verifier.torn(&place, &line.bytes)
        } else {
            verifier.line(&place, &line.bytes).map(|record| each(&record))
        };
        match outcome {
            Ok(()) => {}
            Err(finding) => return Ok(Err(explained(finding, &mut reader)?)),
        }
    }
    Ok(verifier.end())
}

/// Every line that is a record, whatever it says. Returns how many are none.
pub fn read(dir: &Path, mut each: impl FnMut(Record)) -> Result<u64, AuditError> {
    let (mut reader, mut unreadable) = (Reader::open(dir)?, 0);
    while let Some((_, line)) = reader.next()? {
        match Record::parse(&line.bytes) {
            Ok(record) => each(record),
            Err(_) => unreadable += 1,
        }
    }
    Ok(unreadable)
}

/// A record that seems to be missing may come later: then it was moved.
fn explained(mut finding: Finding, reader: &mut Reader) -> Result<Finding, AuditError> {
    let Problem::Removed { found } = finding.problem else { return Ok(finding) };
    while let Some((_, line)) = reader.next()? {
        if Record::parse(&line.bytes).is_ok_and(|record| record.seq == finding.seq) {
            finding.problem = Problem::Reordered { found };
            break;
        }
    }
    Ok(finding)
}

/// The lines of all segments.
struct Reader {
    segments: std::vec::IntoIter<Segment>,
    open: Option<(Segment, Lines)>,
    line: u64,
}

impl Reader {
    fn open(dir: &Path) -> Result<Self, AuditError> {
        Ok(Self { segments: segments::list(dir)?.into_iter(), open: None, line: 0 })
    }

    fn is_last_segment(&self) -> bool {
        self.segments.len() == 0
    }

    fn next(&mut self) -> Result<Option<(Place, Line)>, AuditError> {
        loop {
            if let Some((segment, lines)) = &mut self.open {
                let line = lines.next().map_err(AuditError::io("reading a segment", &segment.path))?;
                if let Some(line) = line {
                    self.line += 1;
                    let place = Place { file: segment.name(), line: self.line, file_seq: segment.first_seq };
                    return Ok(Some((place, line)));
                }
            }
            let Some(segment) = self.segments.next() else { return Ok(None) };
            let lines = Lines::open(&segment)?;
            (self.open, self.line) = (Some((segment, lines)), 0);
        }
    }
}
