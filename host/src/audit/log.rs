//! The log on disk: records are added at the end of the newest segment, segments take turns, the oldest goes.
//!
//! A batch is written and synced as a whole, or taken back: after an error the file ends where it ended before, and the
//! same batch may be tried again. Nothing that was written is ever changed.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cofferdam_claims::KeyPair;

use super::AuditError;
use super::head::SignedHead;
use super::record::{Note, Tip, Told, append};
use super::recover::recover;
use super::segments::Segment;
use super::verify::UNSIGNED_MAX;

/// How much of the disk the log may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditSizes {
    /// A segment that has reached this is followed by another.
    pub segment_bytes: u64,
    /// Segments that are kept, the one that is written to among them.
    pub segments_max: usize,
}

impl Default for AuditSizes {
    /// 64 MiB in total, and a batch more.
    fn default() -> Self {
        Self { segment_bytes: 8 << 20, segments_max: 8 }
    }
}

/// The end of the chain, and how many records of it no head signs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) tip: Tip,
    pub(super) unsigned: u64,
}

/// Something to be written, and when it came about.
#[derive(Clone, Debug)]
pub(super) struct Stamped {
    pub(super) time: SystemTime,
    pub(super) told: Told,
}

/// Whether a batch ends in a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Now,
    WhenDue,
}

/// The log, to be written by one thread.
pub(super) struct Log {
    dir: PathBuf,
    key: KeyPair,
    sizes: AuditSizes,
    segments: VecDeque<Segment>,
    file: Option<File>,
    bytes: u64,
    chain: Chain,
    /// The newest segment may hold more than `bytes`, of a batch that was not written as a whole.
    torn: bool,
    /// The chain was found, and this process has signed nothing of it yet.
    found: bool,
    /// What the start has found; part of the first batch.
    notes: Vec<Note>,
}

impl Log {
    /// Takes the directory up where the last host left it; writes nothing yet. Also returns the kind of the last record.
    pub(super) fn open(dir: &Path, key: KeyPair, sizes: AuditSizes) -> Result<(Self, String), AuditError> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(AuditError::io("making it", dir))?;
        check_private(dir)?;
        let found = recover(dir)?;
        let mut log = Self {
            dir: dir.to_owned(),
            key,
            sizes,
            segments: found.segments.into(),
            file: None,
            bytes: found.bytes,
            chain: found.chain,
            torn: false,
            found: true,
            notes: found.notes,
        };
        if let Some(newest) = log.segments.back().filter(|_| !found.damaged) {
            let opened = OpenOptions::new().append(true).open(&newest.path);
            log.file = Some(opened.map_err(AuditError::io("opening a segment", &newest.path))?);
        }
        Ok((log, found.last_kind))
    }

    /// Where the chain ends.
    pub(super) fn chain(&self) -> Chain {
        self.chain
    }

    /// Writes the batch to the disk, or nothing of it.
    pub(super) fn commit(&mut self, batch: &[Stamped], sign: Sign) -> Result<(), AuditError> {
        let now = batch.last().map_or_else(SystemTime::now, |stamped| stamped.time);
        if self.file.is_none() || self.bytes >= self.sizes.segment_bytes {
            self.turn(now)?;
        }
        let (mut lines, mut chain) = (Vec::new(), self.chain);
        if self.found && (chain.unsigned > 0 || self.bytes == 0) {
            self.head(&mut lines, &mut chain, now)?;
        }
        for Stamped { time, told } in batch {
            append(&mut lines, &mut chain.tip, *time, told);
            chain.unsigned += 1;
            if chain.unsigned >= UNSIGNED_MAX || is_signed_at_once(told.kind()) {
                self.head_of(Found::No, &mut lines, &mut chain, *time)?;
            }
        }
        // After the batch: a log begins with the start of its host.
        for note in &self.notes {
            append(&mut lines, &mut chain.tip, now, &Told::Note(note.clone()));
            chain.unsigned += 1;
        }
        if sign == Sign::Now && chain.unsigned > 0 {
            self.head_of(Found::No, &mut lines, &mut chain, now)?;
        }
        self.write(&lines)?;
        (self.chain, self.found) = (chain, false);
        self.notes.clear();
        Ok(())
    }

    fn write(&mut self, lines: &[u8]) -> Result<(), AuditError> {
        let (Some(file), Some(segment)) = (&mut self.file, self.segments.back()) else { return Ok(()) };
        let failed = AuditError::io("writing a segment", &segment.path);
        if std::mem::take(&mut self.torn) {
            take_back(file, self.bytes, &mut self.torn);
        }
        let written = if self.torn { Err(io::Error::other("a torn line can't be cut off")) } else { Ok(()) };
        match written.and_then(|()| file.write_all(lines)).and_then(|()| file.sync_data()) {
            Ok(()) => {
                self.bytes += lines.len() as u64;
                Ok(())
            }
            Err(error) => {
                take_back(file, self.bytes, &mut self.torn);
                Err(failed(error))
            }
        }
    }

    /// Begins another segment with a head of all that went before, and removes the oldest when there are too many.
    fn turn(&mut self, now: SystemTime) -> Result<(), AuditError> {
        let segment = Segment::new(&self.dir, self.chain.tip.seq + 1);
        let (mut lines, mut chain) = (Vec::new(), self.chain);
        self.head(&mut lines, &mut chain, now)?;
        let excess = (self.segments.len() + 1).saturating_sub(self.sizes.segments_max.max(1));
        let nexts = self.segments.iter().skip(1).chain([&segment]);
        for (oldest, next) in self.segments.iter().zip(nexts).take(excess) {
            let (first_seq, last_seq) = (oldest.first_seq, next.first_seq - 1);
            let removed = Note::SegmentRemoved { file: oldest.name().into(), first_seq, last_seq };
            append(&mut lines, &mut chain.tip, now, &Told::Note(removed));
            chain.unsigned += 1;
        }
        let file =
            make(&self.dir, &segment.path, &lines).map_err(AuditError::io("beginning a segment", &segment.path))?;
        (self.file, self.bytes, self.torn) = (Some(file), lines.len() as u64, false);
        (self.chain, self.found) = (chain, false);
        self.segments.push_back(segment);
        for oldest in self.segments.drain(..excess) {
            // It stays until somebody removes it; the chain says that it may be gone.
            if let Err(error) = fs::remove_file(&oldest.path) {
                tracing::warn!(segment = %oldest.path.display(), %error, "a segment of the audit log was not removed");
            }
        }
        Ok(())
    }

    /// Signs all that is there, if anything is.
    fn head(&self, lines: &mut Vec<u8>, chain: &mut Chain, now: SystemTime) -> Result<(), AuditError> {
        if chain.tip.seq == 0 {
            return Ok(());
        }
        let found = if self.found && chain.unsigned > 0 { Found::Yes } else { Found::No };
        self.head_of(found, lines, chain, now)
    }

    fn head_of(&self, found: Found, lines: &mut Vec<u8>, chain: &mut Chain, now: SystemTime) -> Result<(), AuditError> {
        let head = SignedHead::sign(&self.key, chain.tip)?.to_string();
        append(lines, &mut chain.tip, now, &Told::Note(Note::Head { head, found: found == Found::Yes }));
        chain.unsigned = 0;
        Ok(())
    }
}

/// Whether the host that signs has also written what it signs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Yes,
    No,
}

/// What is worth a signature of its own. That a head follows a host's start is a rule for whoever verifies.
fn is_signed_at_once(kind: &str) -> bool {
    matches!(kind, "host_started" | "host_stopped" | "actor_refused" | "provider_refused" | "lost")
}

fn make(dir: &Path, path: &Path, lines: &[u8]) -> io::Result<File> {
    let mut file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(lines).and_then(|()| file.sync_all()).and_then(|()| File::open(dir)?.sync_all());
    // Only what was made here: another file of that name is evidence.
    written.inspect_err(|_| drop(fs::remove_file(path)))?;
    Ok(file)
}

/// Lets the file end where it did. Also a full disk allows that.
fn take_back(file: &File, bytes: u64, torn: &mut bool) {
    *torn = file.set_len(bytes).is_err();
}

fn check_private(dir: &Path) -> Result<(), AuditError> {
    let facts = fs::metadata(dir).map_err(AuditError::io("looking at it", dir))?;
    let own = nix::unistd::geteuid().as_raw();
    let why = match (facts.uid(), facts.mode() & 0o7777) {
        (owner, _) if owner != own => format!("it belongs to user {owner}, and this host runs as user {own}"),
        (_, mode) if mode & 0o077 != 0 => format!("others can use it (mode {mode:o})"),
        _ => return Ok(()),
    };
    Err(AuditError::Unsafe { path: dir.to_owned(), why })
}
