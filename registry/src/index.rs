//! What tags meant when they were last asked for: for hosts that start while their registry is away. It lies in the
//! cache, and is no more trusted than the registry was: it leads to digests, and these are checked.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::cache::{Cache, CacheError, TAGS, read_bounded};
use crate::digest::Digest;
use crate::reference::Reference;

const ENTRY_BYTES_MAX: u64 = 4096;

#[derive(Serialize, Deserialize)]
struct Entry {
    reference: String,
    manifest: String,
    asked_s: u64,
}

/// What a tag meant.
pub(crate) struct Meant {
    /// The digest of its manifest.
    pub(crate) manifest: Digest,
    /// When the registry said so.
    pub(crate) asked: SystemTime,
}

/// Writes down what a tag means now.
pub(crate) fn note(cache: &Cache, reference: &Reference, manifest: Digest, now: SystemTime) -> Result<(), CacheError> {
    let asked_s = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let entry = Entry { reference: reference.to_string(), manifest: manifest.to_string(), asked_s };
    let json = serde_json::to_vec(&entry).expect("an entry is text and a number");
    cache.put(&path(cache, reference), &json)
}

/// What it meant, if it was ever asked for. An entry that can't be read is none.
pub(crate) fn last(cache: &Cache, reference: &Reference) -> Option<Meant> {
    let bytes = read_bounded(&path(cache, reference), ENTRY_BYTES_MAX).ok()??;
    let entry: Entry = serde_json::from_slice(&bytes).ok()?;
    let asked = UNIX_EPOCH.checked_add(Duration::from_secs(entry.asked_s))?;
    (entry.reference == reference.to_string()).then_some(())?;
    Some(Meant { manifest: entry.manifest.parse().ok()?, asked })
}

/// Named by a digest of the reference, which may be any text.
fn path(cache: &Cache, reference: &Reference) -> PathBuf {
    cache.dir().join(TAGS).join(Digest::of(reference.to_string().as_bytes()).hex())
}
