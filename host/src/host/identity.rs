//! The state directory and the host's key in it: the owner's alone, or not used.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use cofferdam_claims::{KeyKind, KeyPair, load_seed, save_seed};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::{HostError, Result};

const KEY_FILE: &str = "host.nk";
const LOCK_FILE: &str = "host.lock";
/// Whoever can write here could put a key, an actor's code or a provider's data in place.
const OTHERS_WRITE: u32 = 0o022;
/// Whoever can read the key can be the host.
const OTHERS_ANYTHING: u32 = 0o077;

/// The state directory is ours while this lives.
pub(super) type Claim = Flock<std::fs::File>;

/// Makes the directory, for its owner only, and takes it. Two hosts in one would share databases and keys.
pub(super) fn claim(state_dir: &Path) -> Result<Claim> {
    let failed = |act| HostError::state(state_dir, act);
    DirBuilder::new().recursive(true).mode(0o700).create(state_dir).map_err(failed("making it"))?;
    check_ours(state_dir, OTHERS_WRITE).map_err(failed("looking at it"))??;
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
        check_ours(&path, OTHERS_ANYTHING).map_err(HostError::state(state_dir, "looking at its key"))??;
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

/// That this user owns the path, and nobody else has any of the permissions.
fn check_ours(path: &Path, forbidden: u32) -> std::io::Result<Result<()>> {
    let metadata = std::fs::metadata(path)?;
    let why = unsafe_because(metadata.uid(), metadata.mode(), nix::unistd::geteuid().as_raw(), forbidden);
    Ok(why.map_or(Ok(()), |why| Err(HostError::StateUnsafe { path: path.to_owned(), why })))
}

fn unsafe_because(owner: u32, mode: u32, own: u32, forbidden: u32) -> Option<String> {
    if owner != own {
        return Some(format!("it belongs to user {owner}, and this host runs as user {own}"));
    }
    let may = if forbidden == OTHERS_WRITE { "write to" } else { "use" };
    (mode & forbidden != 0).then(|| format!("others can {may} it (mode {:o})", mode & 0o7777))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_what_is_the_owners_alone_is_used() {
        // Owner, mode, this user, what nobody else may, and whether it is used.
        let cases = [
            (1000, 0o40700, 1000, OTHERS_WRITE, true),
            (1000, 0o40755, 1000, OTHERS_WRITE, true),
            (1000, 0o40720, 1000, OTHERS_WRITE, false),
            (1000, 0o40702, 1000, OTHERS_WRITE, false),
            (1000, 0o41777, 1000, OTHERS_WRITE, false),
            (1001, 0o40700, 1000, OTHERS_WRITE, false),
            (0, 0o40700, 1000, OTHERS_WRITE, false),
            (1000, 0o40700, 0, OTHERS_WRITE, false),
            (1000, 0o100600, 1000, OTHERS_ANYTHING, true),
            (1000, 0o100640, 1000, OTHERS_ANYTHING, false),
            (1000, 0o100604, 1000, OTHERS_ANYTHING, false),
            (1001, 0o100600, 1000, OTHERS_ANYTHING, false),
        ];
        for (owner, mode, own, forbidden, used) in cases {
            let why = unsafe_because(owner, mode, own, forbidden);
            assert_eq!(why.is_none(), used, "{owner} {mode:o} as {own}: {why:?}");
        }
    }

    #[test]
    fn an_unsafe_directory_or_key_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let (dir, key) = (folder.path().join("state"), folder.path().join("state/host.nk"));
        let set_mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).expect("ours");
        let made = |dir: &Path| claim(dir).and_then(|_claim| host_key(dir)).map(|key| key.public_key());
        let first = made(&dir).expect("a new one");
        let refused = |what: &str| {
            let error = made(&dir).expect_err(what);
            (error.report().kind, error.to_string())
        };
        set_mode(&dir, 0o777);
        let (kind, text) = refused("a directory for all");
        assert_eq!(kind, "state_unsafe");
        assert!(text.ends_with("state is not safe to use: others can write to it (mode 777)"), "{text}");
        set_mode(&dir, 0o755);
        set_mode(&key, 0o644);
        let (kind, text) = refused("a key for all");
        assert_eq!(kind, "state_unsafe");
        assert!(text.ends_with("host.nk is not safe to use: others can use it (mode 644)"), "{text}");
        set_mode(&key, 0o600);
        assert_eq!(made(&dir).expect("safe again"), first);
        fs::write(&key, "").expect("ours");
        let (kind, text) = refused("an empty key");
        assert_eq!(kind, "key_unusable");
        assert!(text.ends_with("host.nk holds no seed: it is empty"), "{text}");
    }
}
