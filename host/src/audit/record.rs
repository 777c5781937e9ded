//! One record: a line of JSON that ends in the hash of all that stands before it. Pure.
//!
//! ```text
//! {"seq":7,"time":"2026-01-02T03:04:05.678Z","prev":"…","event":{"kind":"link_set",…},"hash":"…"}
//! ```
//! The hash covers the bytes as they are written, and not what a parser makes of them; `prev` is the hash of the record
//! before. So no bit of a line can change, and no line go, come or move, without the next one saying so.

use std::fmt;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::Value;

use super::head::SignedHead;
use crate::words::{AuditEvent, Brief};

/// The longest line that is read, its end not counted. What is written is far shorter.
pub const LINE_BYTES_MAX: usize = 64 << 10;

/// Keeps these hashes apart from all others of the same bytes.
const HASH_CONTEXT: &str = "cofferdam 2026 audit record";

/// What stands between the hashed part and the hash, and after it.
const BEFORE_HASH: &[u8] = b",\"hash\":\"";
const AFTER_HASH: &[u8] = b"\"}";

/// The hash of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RecordHash([u8; 32]);

/// The end of a chain: what the next record continues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tip {
    /// The sequence number of the last record, 0 when there is none.
    pub seq: u64,
    /// Its hash.
    pub hash: RecordHash,
}

/// What the log says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Note {
    /// Signs the record before. `found` says that it was not signed before the last host ended.
    Head { head: String, found: bool },
    /// After a crash, the last line of a segment was not complete and was cut off.
    TailRepaired { file: Brief, bytes: u64 },
    /// A segment has a line that is no record of ours. It is kept as it is, and the chain goes on in the next.
    SegmentDamaged { file: Brief, line: u64 },
    /// The oldest segment is removed, to make room.
    SegmentRemoved { file: Brief, first_seq: u64, last_seq: u64 },
    /// Events of this kind were lost, because the disk took nothing for too long.
    Lost { of: &'static str, count: u64 },
    /// Records were written later than they came about.
    Delayed { for_ms: u64, error: Brief },
}

/// What a record tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Told {
    Event(AuditEvent),
    Note(Note),
}

/// A record, read and found to be whole. Whether it is the right one is decided by [`super::Verifier`].
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Counts from 1.
    pub seq: u64,
    /// When it came about, in RFC 3339.
    pub time: String,
    /// The hash of the record before.
    pub prev: RecordHash,
    /// Its own hash.
    pub hash: RecordHash,
    /// What it tells; `kind` is always there.
    pub event: Value,
}

/// Why a line is no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotARecord {
    /// It has no hash at its end.
    #[error("it does not end in the hash of a record")]
    NoHash,
    /// The hash is that of something else.
    #[error("its hash is not that of its content")]
    WrongHash,
    /// Too long to be one.
    #[error("it is longer than {LINE_BYTES_MAX} bytes")]
    TooLong,
    /// The hash is right, and the content is no record's.
    #[error("its content is no record: {0}")]
    Malformed(String),
}

impl RecordHash {
    /// Reads 64 lower-case hexadecimal digits.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let digits: &[u8; 64] = text.try_into().ok()?;
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(hash))
    }

    fn of(content: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(HASH_CONTEXT);
        hasher.update(content);
        Self(*hasher.finalize().as_bytes())
    }
}

impl fmt::Display for RecordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Told {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Event(event) => event.kind(),
            Self::Note(note) => note.kind(),
        }
    }
}

impl Note {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Head { .. } => "head",
            Self::TailRepaired { .. } => "tail_repaired",
            Self::SegmentDamaged { .. } => "segment_damaged",
            Self::SegmentRemoved { .. } => "segment_removed",
            Self::Lost { .. } => "lost",
            Self::Delayed { .. } => "delayed",
        }
    }
}

/// Appends the next record of a chain to `lines`, with its end of line, and moves the tip on.
pub(super) fn append(lines: &mut Vec<u8>, tip: &mut Tip, time: SystemTime, told: &Told) {
    let start = lines.len();
    let (seq, time) = (tip.seq + 1, humantime::format_rfc3339_millis(time));
    let event = serde_json::to_string(told).expect("events have string keys and plain values");
    lines.extend_from_slice(
        format!(r#"{{"seq":{seq},"time":"{time}","prev":"{}","event":{event}"#, tip.hash).as_bytes(),
    );
    *tip = Tip { seq, hash: RecordHash::of(&lines[start..]) };
    lines.extend_from_slice(BEFORE_HASH);
    lines.extend_from_slice(tip.hash.to_string().as_bytes());
    lines.extend_from_slice(AFTER_HASH);
    lines.push(b'\n');
}

impl Record {
    /// Reads a line without its end.
    pub fn parse(line: &[u8]) -> Result<Self, NotARecord> {
        if line.len() > LINE_BYTES_MAX {
            return Err(NotARecord::TooLong);
        }
        let (content, hash) = split(line).ok_or(NotARecord::NoHash)?;
        if RecordHash::of(content) != hash {
            return Err(NotARecord::WrongHash);
        }
        let malformed = |why: &str| NotARecord::Malformed(why.to_owned());
        let mut whole: Value = serde_json::from_slice(line).map_err(|error| malformed(&error.to_string()))?;
        let text = |key: &str| whole[key].as_str().map(str::to_owned);
        let seq = whole["seq"].as_u64().filter(|seq| *seq > 0).ok_or_else(|| malformed("it has no number"))?;
        let time = text("time").ok_or_else(|| malformed("it has no time"))?;
        let prev = text("prev").and_then(|prev| RecordHash::parse(prev.as_bytes()));
        let prev = prev.ok_or_else(|| malformed("it has no hash of the record before"))?;
        let event = whole["event"].take();
        if !event["kind"].is_string() {
            return Err(malformed("its event has no kind"));
        }
        Ok(Self { seq, time, prev, hash, event })
    }

    /// The word of its kind.
    pub fn kind(&self) -> &str {
        self.event["kind"].as_str().unwrap_or_default()
    }

    /// The end of the chain that it makes.
    pub fn tip(&self) -> Tip {
        Tip { seq: self.seq, hash: self.hash }
    }

    /// The end of the chain that it continues.
    pub(super) fn follows(&self) -> Tip {
        Tip { seq: self.seq - 1, hash: self.prev }
    }

    /// The head in it, when it is one and says something.
    pub(super) fn head(&self) -> Option<Result<SignedHead, super::HeadError>> {
        (self.kind() == "head").then(|| SignedHead::parse(self.event["head"].as_str().unwrap_or_default()))
    }
}

/// What is hashed, and the hash beside it.
fn split(line: &[u8]) -> Option<(&[u8], RecordHash)> {
    let rest = line.strip_suffix(AFTER_HASH)?;
    let (rest, hash) = rest.split_at_checked(rest.len().checked_sub(64)?)?;
    Some((rest.strip_suffix(BEFORE_HASH)?, RecordHash::parse(hash)?))
}
