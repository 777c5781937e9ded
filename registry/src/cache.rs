//! What was fetched, kept by digest: `blobs/DIGITS` whole and checked, `partial/DIGITS` on its way, `tags/…` what a tag
//! meant when it was last asked for.
//!
//! A blob comes to its name by a rename, when it is whole and on the disk, and is hashed again each time it is read. So no
//! reader sees half a file, and a file that was changed is removed and fetched anew, never used. The directory is the
//! user's alone; several processes may use it at once.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use thiserror::Error;

use crate::digest::Digest;

mod partial;
mod space;

pub(crate) use partial::Partial;

const BLOBS: &str = "blobs";
const PARTIAL: &str = "partial";
pub(crate) const TAGS: &str = "tags";

/// A cache. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Cache {
    dir: PathBuf,
    bytes_max: u64,
}

/// Why the cache can't be used.
#[derive(Debug, Error)]
pub enum CacheError {
    /// Others could put files there.
    #[error("the cache {} is not safe to use: {why}", path.display())]
    Unsafe {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The system refused.
    #[error("the cache: {act} {}: {source}", path.display())]
    System {
        /// What was attempted.
        act: &'static str,
        /// On which file.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
}

impl Cache {
    /// Takes a directory, and makes it where it is missing. Everything together takes at most `bytes_max`, but for what
    /// was fetched last.
    pub fn open(dir: &Path, bytes_max: u64) -> Result<Self, CacheError> {
        for folder in [BLOBS, PARTIAL, TAGS] {
            let path = dir.join(folder);
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(failed("making the directory", &path))?;
        }
        for path in [dir.to_owned(), dir.join(BLOBS), dir.join(PARTIAL), dir.join(TAGS)] {
            check_ours(&path)?;
        }
        Ok(Self { dir: dir.to_owned(), bytes_max })
    }

    /// A blob, if it is there and is what its name says.
    pub fn read(&self, digest: Digest, bytes_max: u64) -> Result<Option<Vec<u8>>, CacheError> {
        let path = self.blob(digest);
        let bytes = match read_bounded(&path, bytes_max) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.map_err(failed("reading", &path))?,
        };
        match bytes {
            Some(bytes) if Digest::of(&bytes) == digest => {
                // What was used is the last to go. It is no loss where that fails.
                let _ = File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
                Ok(Some(bytes))
            }
            _ => {
                tracing::warn!(file = %path.display(), "a file of the cache is not what its name says; it is removed");
                fs::remove_file(&path).map_err(failed("removing", &path))?;
                Ok(None)
            }
        }
    }

    /// Keeps something small that is whole.
    pub(crate) fn keep(&self, bytes: &[u8]) -> Result<Digest, CacheError> {
        let digest = Digest::of(bytes);
        self.put(&self.blob(digest), bytes)?;
        Ok(digest)
    }

    /// A file in place in one step.
    pub(crate) fn put(&self, path: &Path, bytes: &[u8]) -> Result<(), CacheError> {
        let folder = path.parent().unwrap_or(&self.dir);
        let written = tempfile::Builder::new().prefix(".new-").tempfile_in(folder).and_then(|mut file| {
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            Ok(file.persist(path)?)
        });
        written.map(drop).map_err(failed("writing", path))
    }

    /// What there is of a blob that is on its way, to go on with. Whoever has it has it alone.
    pub(crate) fn partial(&self, digest: Digest, bytes: u64) -> Result<Partial, CacheError> {
        let path = self.dir.join(PARTIAL).join(digest.hex());
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.custom_flags(NO_FOLLOW).open(&path).map_err(failed("opening", &path))?;
        match file.try_lock() {
            Ok(()) => Partial::resume(self.clone(), file, path, digest, bytes),
            // Another process fetches the same. It is fetched twice, for nobody can say how long the other takes.
            Err(TryLockError::WouldBlock) => self.partial_apart(digest, bytes),
            Err(TryLockError::Error(error)) => Err(failed("locking", &path)(error)),
        }
    }

    fn partial_apart(&self, digest: Digest, bytes: u64) -> Result<Partial, CacheError> {
        let folder = self.dir.join(PARTIAL);
        let made = tempfile::Builder::new().prefix(".apart-").tempfile_in(&folder);
        let (file, path) = made.and_then(|file| Ok(file.keep()?)).map_err(failed("making a file in", &folder))?;
        file.try_lock().map_err(|error| failed("locking", &path)(error.into()))?;
        Partial::resume(self.clone(), file, path, digest, bytes)
    }

    /// Where it lies.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn blob(&self, digest: Digest) -> PathBuf {
        self.dir.join(BLOBS).join(digest.hex())
    }
}

impl CacheError {
    pub(crate) fn next_step(&self) -> &'static str {
        match self {
            Self::Unsafe { .. } => "make it yours alone (chown; chmod 700), or choose another by --registry-cache",
            Self::System { source, .. }
                if matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) =>
            {
                "free some space there, or choose another directory by --registry-cache"
            }
            Self::System { .. } => "check the directory, or choose another by --registry-cache",
        }
    }
}

/// `O_NOFOLLOW` of Linux on the processors that this project is built for.
#[cfg(target_arch = "aarch64")]
pub(crate) const NO_FOLLOW: i32 = 0o100000;
/// `O_NOFOLLOW` of Linux on the processors that this project is built for.
#[cfg(not(target_arch = "aarch64"))]
pub(crate) const NO_FOLLOW: i32 = 0o400000;

pub(crate) fn failed(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CacheError + use<> {
    let path = path.to_owned();
    move |source| CacheError::System { act, path, source }
}

/// All of a file, or `None` when it is larger. A pipe is never opened for long enough to wait for it.
pub(crate) fn read_bounded(path: &Path, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    // `File::open` of a pipe waits for a writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no file"));
    }
    let file = File::open(path)?;
    let mut bytes = Vec::new();
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= bytes_max).then_some(bytes))
}

fn check_ours(path: &Path) -> Result<(), CacheError> {
    let facts = fs::symlink_metadata(path).map_err(failed("looking at", path))?;
    let unsafe_for = |why| Err(CacheError::Unsafe { path: path.to_owned(), why });
    // Whose a file is that this process makes is the one thing it can't be wrong about.
    let own = tempfile::tempfile_in(path).and_then(|file| file.metadata()).map_err(failed("writing in", path))?.uid();
    match () {
        () if !facts.is_dir() => unsafe_for("it is no directory"),
        () if facts.uid() != own => unsafe_for("it belongs to somebody else"),
        () if facts.mode() & 0o022 != 0 => unsafe_for("others may write to it"),
        () => Ok(()),
    }
}

#[cfg(test)]
mod tests;
