//! How much the cache may take. What was not used for the longest time goes first.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::SystemTime;

use super::{BLOBS, Cache, PARTIAL};
use crate::digest::Digest;

struct Kept {
    used: SystemTime,
    bytes: u64,
    path: PathBuf,
}

impl Cache {
    /// Removes what is too much, but never `keep`. A cache that could not be made smaller is still a good one, so nothing
    /// of this is an error.
    pub(super) fn make_room(&self, keep: &[Digest]) {
        let mut files = self.files();
        let mut bytes: u64 = files.iter().map(|file| file.bytes).sum();
        files.sort_by_key(|file| file.used);
        let spared: Vec<PathBuf> = keep.iter().map(|digest| self.blob(*digest)).collect();
        for file in files.iter().filter(|file| !spared.contains(&file.path)) {
            if bytes <= self.bytes_max {
                return;
            }
            // A file that grows is locked by whoever writes it; a blob is locked by nobody.
            let free = File::open(&file.path).is_ok_and(|open| open.try_lock().is_ok());
            if free && fs::remove_file(&file.path).is_ok() {
                tracing::debug!(file = %file.path.display(), bytes = file.bytes, "removed from the cache to make room");
                bytes -= file.bytes;
            }
        }
    }

    fn files(&self) -> Vec<Kept> {
        let entries = [BLOBS, PARTIAL].into_iter().filter_map(|folder| fs::read_dir(self.dir.join(folder)).ok());
        let kept = entries.flatten().flatten().filter_map(|entry| {
            let facts = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            Some(Kept { used: facts.modified().ok()?, bytes: facts.len(), path: entry.path() })
        });
        kept.collect()
    }
}
