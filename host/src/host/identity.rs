//! The state directory and the host's key in it.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use cofferdam_claims::{KeyKind, KeyPair, load_seed, save_seed};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::{HostError, Result};

const KEY_FILE: &str = "host.nk";
const LOCK_FILE: &str = "host.lock";

/// The state directory is ours while this lives.
pub(super) type Claim = Flock<std::fs::File>;

/// Makes the directory, for its owner only, and takes it. Two hosts in one would share databases and keys.
pub(super) fn claim(state_dir: &Path) -> Result<Claim> {
    let failed = |act| HostError::state(state_dir, act);
    DirBuilder::new().recursive(true).mode(0o700).create(state_dir).map_err(failed("making it"))?;
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(state_dir.join(LOCK_FILE))
        .map_err(failed("opening its lock"))?;
    match Flock::lock(lock, FlockArg::LockExclusiveNonblock) {
        Ok(mut claim) => {
            // The pid is for people who meet the lock; the lock itself is the kernel's.
            claim
                .set_len(0)
                .and_then(|()| write!(claim, "{}", std::process::id()))
                .map_err(failed("writing its lock"))?;
            Ok(claim)
        }
        Err((mut lock, Errno::EWOULDBLOCK)) => {
            let mut pid = String::new();
            let read = lock.rewind().and_then(|()| Read::by_ref(&mut lock).take(20).read_to_string(&mut pid));
            let pid = read.ok().and_then(|_| pid.trim().parse().ok());
            Err(HostError::StateTaken { dir: state_dir.to_owned(), pid })
        }
        Err((_, errno)) => Err(failed("locking it")(errno.into())),
    }
}

/// The host's key, made at the first start.
pub(super) fn host_key(state_dir: &Path) -> Result<KeyPair> {
    let path = state_dir.join(KEY_FILE);
    if path.exists() {
        return load_seed(KeyKind::Host, &path).map_err(HostError::Key);
    }
    let key = KeyKind::Host.generate();
    save_seed(&key, &path).map_err(HostError::Key)?;
    Ok(key)
}

/// Authenticates compiled actors: derived from the host's key, so that it needs no file of its own.
pub(super) fn artifact_key(key: &KeyPair) -> Result<[u8; 32]> {
    let seed = key.seed().map_err(|error| HostError::Internal { message: format!("reading the host key: {error}") })?;
    Ok(blake3::derive_key("cofferdam 2026 artifact cache", seed.as_bytes()))
}
