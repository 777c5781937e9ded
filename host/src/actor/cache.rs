//! Compiled modules on disk. An artifact is native code that the host will run, so nothing is read that was not
//! written with the host's own key, and the directory must be ours alone.
//!
//! A file that is damaged, foreign or stale is never an error: the module is compiled again and the file replaced.
#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use wasmer::{Engine, Module};

use super::{ActorError, ArtifactCacheConfig};

const MAGIC: &[u8; 8] = b"cfdmart1";
const MAC_BYTES: usize = 32;
const EXTENSION: &str = "artifact";
/// Largest artifact that is written or read.
const ARTIFACT_BYTES_MAX: u64 = 256 << 20;
/// All of them together; the least recently used go first.
const CACHE_BYTES_MAX: u64 = 1 << 30;

/// A directory of artifacts.
pub(super) struct ArtifactCache {
    dir: PathBuf,
    key: [u8; 32],
    bytes_max: u64,
}

impl std::fmt::Debug for ArtifactCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArtifactCache").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// Names the artifact of a module's code under given settings.
#[derive(Clone, Copy, Debug)]
pub(super) struct ArtifactKey([u8; 32]);

impl ArtifactKey {
    /// `code` is what the compiler is given, to the last byte.
    pub(super) fn new(code: &[u8], settings: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("cofferdam artifact key");
        hasher.update(blake3::hash(code).as_bytes());
        hasher.update(settings.as_bytes());
        Self(*hasher.finalize().as_bytes())
    }
}

/// Why a file was not used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("it is of another form")]
    Form,
    #[error("it was not written by this host, or was changed")]
    Unauthentic,
    #[error("wasmer refuses it: {0}")]
    Refused(String),
}

impl ArtifactCache {
    /// Makes the directory if need be, and refuses one that others could write to.
    pub(super) fn open(config: ArtifactCacheConfig) -> Result<Self, ActorError> {
        let ArtifactCacheConfig { dir, key } = config;
        let refused = |reason: String| ActorError::CacheRefused { dir: dir.clone(), reason };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(|error| refused(format!("it cannot be made: {error}")))?;
        let meta = fs::symlink_metadata(&dir).map_err(|error| refused(format!("it cannot be read: {error}")))?;
        let us = nix::unistd::geteuid().as_raw();
        if !meta.is_dir() {
            return Err(refused("it is not a directory".to_owned()));
        }
        if meta.uid() != us {
            return Err(refused(format!("it belongs to user {}, we are user {us}", meta.uid())));
        }
        if meta.mode() & 0o022 != 0 {
            let mode = meta.mode() & 0o7777;
            return Err(refused(format!("its mode {mode:04o} lets others write to it; make it 0700")));
        }
        Ok(Self { dir, key, bytes_max: CACHE_BYTES_MAX })
    }

    fn path(&self, key: &ArtifactKey) -> PathBuf {
        self.dir.join(blake3::Hash::from_bytes(key.0).to_hex().as_str()).with_extension(EXTENSION)
    }

    /// The MAC covers the key as well: a genuine artifact of another module, under this one's name, is refused.
    fn mac(&self, key: &ArtifactKey, artifact: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(MAGIC);
        hasher.update(&key.0);
        hasher.update(artifact);
        hasher.finalize()
    }

    /// The module, if there is a good artifact of it.
    pub(super) fn load(&self, engine: &Engine, key: &ArtifactKey) -> Option<Module> {
        let path = self.path(key);
        match self.read(&path, engine, key) {
            Ok(module) => Some(module),
            Err(Unusable::Unreadable(error)) if error.kind() == io::ErrorKind::NotFound => None,
            Err(unusable) => {
                tracing::warn!(path = %path.display(), "compiling again, the cached artifact is not used: {unusable}");
                None
            }
        }
    }

    fn read(&self, path: &Path, engine: &Engine, key: &ArtifactKey) -> Result<Module, Unusable> {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(Unusable::Form);
        }
        let mut content = Vec::new();
        (&file).take(ARTIFACT_BYTES_MAX + 1).read_to_end(&mut content)?;
        let (mac, artifact) =
            content.strip_prefix(MAGIC).and_then(|rest| rest.split_first_chunk::<MAC_BYTES>()).ok_or(Unusable::Form)?;
        // blake3::Hash compares in constant time.
        if blake3::Hash::from_bytes(*mac) != self.mac(key, artifact) {
            return Err(Unusable::Unauthentic);
        }
        // SAFETY: deserialize trusts its input, which becomes native code. These very bytes, in our own memory, carry a
        // MAC under a key that only this host has, over the hash of the code and of all compiler settings, the meter among
        // them: so they are what `Module::serialize` of this wasmer made of this code, metered if that was asked for.
        let module = unsafe { Module::deserialize(engine, artifact) };
        let module = module.map_err(|error| Unusable::Refused(error.to_string()))?;
        // Best effort: the time of last use decides who is evicted first.
        let _ = file.set_modified(SystemTime::now());
        Ok(module)
    }

    /// Keeps a module. Failing to is told in the log and is no error.
    pub(super) fn store(&self, module: &Module, key: &ArtifactKey) {
        let stored = module.serialize().map_err(io::Error::other).and_then(|artifact| self.write(&artifact, key));
        if let Err(error) = stored.and_then(|()| self.evict()) {
            tracing::warn!(dir = %self.dir.display(), "the compiled module is not kept: {error}");
        }
    }

    fn write(&self, artifact: &[u8], key: &ArtifactKey) -> io::Result<()> {
        if artifact.len() as u64 > ARTIFACT_BYTES_MAX {
            return Err(io::Error::other("the artifact is too large"));
        }
        // Made with mode 0600 and removed again unless it is renamed.
        let mut file = tempfile::Builder::new().prefix("new-").tempfile_in(&self.dir)?;
        file.write_all(MAGIC)?;
        file.write_all(self.mac(key, artifact).as_bytes())?;
        file.write_all(artifact)?;
        file.persist(self.path(key)).map_err(|error| error.error)?;
        Ok(())
    }

    /// Drops the least recently used artifacts until the rest fits.
    fn evict(&self) -> io::Result<()> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            if meta.is_file() && entry.path().extension() == Some(OsStr::new(EXTENSION)) {
                kept.push((meta.modified()?, meta.len(), entry.path()));
            }
        }
        kept.sort();
        let mut total: u64 = kept.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, path) in kept {
            if total <= self.bytes_max {
                break;
            }
            fs::remove_file(path)?;
            total -= bytes;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_go_first() {
        let dir = tempfile::tempdir().unwrap();
        let config = ArtifactCacheConfig { dir: dir.path().to_owned(), key: [7; 32] };
        let cache = ArtifactCache { bytes_max: 250, ..ArtifactCache::open(config).unwrap() };
        for (name, age_s) in [("a", 30), ("b", 10), ("c", 20)] {
            let path = dir.path().join(name).with_extension(EXTENSION);
            fs::write(&path, [0; 100]).unwrap();
            let used = SystemTime::now() - std::time::Duration::from_secs(age_s);
            OpenOptions::new().write(true).open(&path).unwrap().set_modified(used).unwrap();
        }
        fs::write(dir.path().join("somebody's"), [0; 1000]).unwrap();
        cache.evict().unwrap();
        let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["b.artifact", "c.artifact", "somebody's"]);
    }
}
