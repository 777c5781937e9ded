//! The files of a log: which there are, and their lines. A segment is named by the number of its first record.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use cofferdam_claims::open_file;

use super::AuditError;
use super::record::LINE_BYTES_MAX;

const EXTENSION: &str = ".jsonl";

/// Digits of the number, so that names sort as numbers do.
const DIGITS: usize = 16;

/// A directory with more of them is none of ours.
const SEGMENTS_READ_MAX: usize = 10_000;

/// One file of a log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    pub(super) first_seq: u64,
    pub(super) path: PathBuf,
}

impl Segment {
    pub(super) fn new(dir: &Path, first_seq: u64) -> Self {
        Self { first_seq, path: dir.join(format!("{first_seq:0DIGITS$}{EXTENSION}")) }
    }

    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// All segments of a directory, the oldest first. Other files are none of the log.
pub(super) fn list(dir: &Path) -> Result<Vec<Segment>, AuditError> {
    let listing = AuditError::io("listing its segments", dir);
    let collect = || -> io::Result<Vec<Segment>> {
        let mut segments = Vec::new();
        for entry in fs::read_dir(dir)? {
            let name = entry?.file_name();
            segments.extend(first_seq_of(&name.to_string_lossy()).map(|first_seq| Segment::new(dir, first_seq)));
            if segments.len() > SEGMENTS_READ_MAX {
                break;
            }
        }
        Ok(segments)
    };
    let mut segments = collect().map_err(listing)?;
    if segments.len() > SEGMENTS_READ_MAX {
        return Err(AuditError::TooManySegments { path: dir.to_owned(), limit: SEGMENTS_READ_MAX });
    }
    segments.sort();
    Ok(segments)
}

fn first_seq_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(EXTENSION)?;
    let is_number = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

/// The lines of a segment, in bounded memory.
pub(super) struct Lines {
    reader: BufReader<File>,
}

/// One line, without its end.
pub(super) struct Line {
    pub(super) bytes: Vec<u8>,
    /// Whether its end is there: the last line of a file may be torn.
    pub(super) ended: bool,
}

impl Lines {
    pub(super) fn open(segment: &Segment) -> Result<Self, AuditError> {
        let file = open_file(&segment.path).map_err(AuditError::io("opening a segment", &segment.path))?;
        Ok(Self { reader: BufReader::with_capacity(64 << 10, file) })
    }

    /// The next line. One that is too long to be a record is cut to one byte more than a record may have.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        let mut bytes = Vec::with_capacity(512);
        let limit = LINE_BYTES_MAX as u64 + 1;
        if Read::by_ref(&mut self.reader).take(limit).read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            return Ok(Some(Line { bytes, ended: true }));
        }
        let is_cut = bytes.len() as u64 == limit;
        let ended = is_cut && self.skip_line()?;
        Ok(Some(Line { bytes, ended }))
    }

    fn skip_line(&mut self) -> io::Result<bool> {
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(false);
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(buffer.len(), |at| at + 1);
            self.reader.consume(used);
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}
