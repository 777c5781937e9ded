//! A blob on its way to the disk. What was written stays when the transfer breaks off, even when the process ends, and
//! is gone on with. It counts for nothing before the whole has been hashed.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use super::{Cache, CacheError, failed};
use crate::digest::Digest;

const PIECE_BYTES: usize = 256 << 10;

/// A file that grows, locked.
pub(crate) struct Partial {
    cache: Cache,
    file: File,
    path: PathBuf,
    hasher: Sha256,
    digest: Digest,
    /// So far, and when it is whole.
    bytes: u64,
    total_bytes: u64,
}

impl Partial {
    /// Hashes what is there. Whatever can't be a beginning is thrown away.
    pub(super) fn resume(
        cache: Cache,
        file: File,
        path: PathBuf,
        digest: Digest,
        total_bytes: u64,
    ) -> Result<Self, CacheError> {
        let mut partial = Self { cache, file, path, hasher: Sha256::new(), digest, bytes: 0, total_bytes };
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match partial.file.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => {
                    partial.hasher.update(&piece[..read]);
                    partial.bytes += read as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(failed("reading", &partial.path)(error)),
            }
        }
        if partial.bytes > total_bytes {
            partial.restart()?;
        }
        Ok(partial)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.bytes == self.total_bytes
    }

    /// Appends, or says by `false` that it would be longer than it may be.
    pub(crate) fn append(&mut self, piece: &[u8]) -> Result<bool, CacheError> {
        if piece.len() as u64 > self.total_bytes - self.bytes {
            return Ok(false);
        }
        self.file.write_all(piece).map_err(failed("writing", &self.path))?;
        self.hasher.update(piece);
        self.bytes += piece.len() as u64;
        Ok(true)
    }

    /// Begins again with nothing.
    pub(crate) fn restart(&mut self) -> Result<(), CacheError> {
        self.file.set_len(0).and_then(|()| self.file.rewind()).map_err(failed("emptying", &self.path))?;
        self.hasher = Sha256::new();
        self.bytes = 0;
        Ok(())
    }

    /// What the bytes so far hash to.
    pub(crate) fn found(&self) -> Digest {
        Digest::finish(self.hasher.clone())
    }

    /// Gives it its name, once it is what it should be; the caller has looked at [`Self::found`].
    pub(crate) fn commit(self) -> Result<(), CacheError> {
        assert_eq!(self.found(), self.digest, "only what is right gets a name");
        let blob = self.cache.blob(self.digest);
        self.file.sync_all().map_err(failed("writing to the disk", &self.path))?;
        fs::rename(&self.path, &blob).map_err(failed("renaming", &self.path))?;
        self.cache.make_room(&[self.digest]);
        Ok(())
    }
}
