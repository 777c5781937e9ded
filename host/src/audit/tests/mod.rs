//! What the log promises, held against logs that were written, changed, cut, torn and filled.

mod changed;
mod disk;
mod flood;
mod forged;
mod golden;
mod killed;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cofferdam_claims::{KeyKind, KeyPair, from_seed};
use tempfile::TempDir;

use super::log::{Log, Sign, Stamped};
use super::record::Told;
use super::{AuditSizes, Expected, Finding, SignedHead, Summary, verify};
use crate::words::AuditEvent;

/// A key of these tests and of nothing else.
const SEED: &str = "SNABIMONZBZ7B73LQEASSOJD3DX5VOXSN4B7JZE7KONLBFL44IMWARRRRQ";

/// Its owner's alone, as a host makes it.
fn folder() -> TempDir {
    let private = fs::Permissions::from_mode(0o700);
    tempfile::Builder::new().permissions(private).tempdir().expect("a folder")
}

fn key() -> KeyPair {
    from_seed(KeyKind::Host, SEED).expect("a seed")
}

fn time(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_780_000_000_000) + Duration::from_secs(second)
}

fn started() -> AuditEvent {
    let (version, namespace) = ("0.1.0".into(), "default".into());
    let (sandbox, previous) = ("enforced".into(), "none".into());
    AuditEvent::HostStarted { version, namespace, pid: 42, uid: 1000, sandbox, trust: Vec::new(), previous }
}

fn actor_stopped(actor: u64) -> AuditEvent {
    AuditEvent::ActorStopped { actor: format!("M{actor}").into() }
}

fn stamped(events: impl IntoIterator<Item = AuditEvent>) -> Vec<Stamped> {
    let at = |(second, event)| Stamped { time: time(second), told: Told::Event(event) };
    (0..).zip(events).map(at).collect()
}

/// Writes the start of a host and `count` more events, each batch so long, and signs the last. Returns the last head.
fn write(dir: &Path, sizes: AuditSizes, count: u64, batch: usize) -> SignedHead {
    let (mut log, _) = Log::open(dir, key(), sizes).expect("it can be opened");
    let events = stamped(std::iter::once(started()).chain((0..count).map(actor_stopped)));
    for batch in events.chunks(batch) {
        log.commit(batch, Sign::WhenDue).expect("it can be written");
    }
    log.commit(&[], Sign::Now).expect("it can be signed");
    checked(dir, None).expect("what was written verifies").head.expect("it was signed")
}

fn expected(head: Option<&SignedHead>) -> Expected {
    Expected::new(Some(key().public_key()), head.cloned()).expect("a head of the host")
}

fn checked(dir: &Path, head: Option<&SignedHead>) -> Result<Summary, Finding> {
    verify(dir, expected(head), |_| {}).expect("it can be read")
}

/// The kinds of all records, the oldest first.
fn kinds(dir: &Path) -> Vec<String> {
    let mut kinds = Vec::new();
    let unreadable = super::read(dir, |record| kinds.push(record.kind().to_owned())).expect("it can be read");
    assert_eq!(unreadable, 0);
    kinds
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    super::segments::list(dir).expect("it can be listed").into_iter().map(|segment| segment.path).collect()
}

/// The lines of a log of one segment, each with its end.
fn lines(dir: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(&segments(dir)[0]).expect("it is there");
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

fn set_lines(dir: &Path, lines: &[Vec<u8>]) {
    fs::write(&segments(dir)[0], lines.concat()).expect("it can be written");
}
