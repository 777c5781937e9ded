//! What a provider is given of the world when it starts: grants checked against what its archive states and against this
//! machine, paths made plain, and the bounds of its process.
//!
//! Everything that can be found wrong before the process exists is found here.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use cofferdam_channel::protocol::control::{Dir, Identity, Network, ResourceLimits};
use cofferdam_channel::protocol::limits::SETTING_VALUE_BYTES_MAX;
use cofferdam_claims::Needs;

use super::{Host, HostError, NativeCapability, Result};
use crate::grants::Allowance;
use crate::provider::{Authority, RESOURCE_LIMITS, SandboxSpec};
use crate::words::{Access, EnvGrant, Grants, PathGrant, ProviderKey, ProviderLimits, SecretGrant, SecretSource};

/// Folders that hold no files: what is read and written there is the kernel.
const OF_THE_KERNEL: [&str; 3] = ["/proc", "/sys", "/dev"];

/// What was found wrong with one grant.
type Fault = (String, String);

impl Host {
    /// What the provider may have, by its archive and the grants to it.
    pub(super) fn authority(&self, capability: &NativeCapability, needs: Option<&Needs>) -> Result<Authority> {
        let key = capability.key();
        let refused = |(what, why)| HostError::GrantUnusable { provider: key.clone(), what, why };
        let state_dir = fs::canonicalize(&self.inner.running()?.state_dir)
            .map_err(HostError::state(&self.inner.running()?.state_dir, "finding its path"))?;
        let grants = capability.grants.clone().map(|grants| on_this_machine(grants, &state_dir)).transpose();
        let allowance = Allowance::new(needs, grants.map_err(refused)?)
            .map_err(|source| HostError::Grants { provider: key.clone(), source })?;
        let env = allowance.env().iter().map(variable).collect::<Result<Vec<_>, Fault>>().map_err(refused)?;
        Ok(Authority::new(key.clone(), allowance, env, self.inner.running()?.auditor.clone()))
    }

    /// How its process is confined.
    pub(super) fn confinement(
        &self,
        identity: Option<Identity>,
        limits: ProviderLimits,
        allowance: &Allowance,
    ) -> SandboxSpec {
        let dirs = allowance.dirs().iter().map(|dir| Dir {
            name: dir.name.clone(),
            path: dir.path.to_string_lossy().into_owned(),
            writable: dir.access == Access::Write,
        });
        let network = allowance.network().map_or(Network::None, |granted| Network::Host {
            bind: granted.bind.clone(),
            connect: granted.connect.clone(),
        });
        let sandbox = self.inner.config.sandbox;
        let cpus_milli = limits.cpus_milli;
        SandboxSpec { sandbox, identity, limits: bounds(limits), cpus_milli, dirs: dirs.collect(), network }
    }
}

/// Says what the user that the provider runs as can't do with a directory that was granted to it.
pub(super) fn warn_of_owners(key: &ProviderKey, identity: Option<Identity>, dirs: &[PathGrant]) {
    let Some(Identity { uid, gid }) = identity else { return };
    for PathGrant { name, path, access } in dirs {
        let Ok(metadata) = fs::metadata(path) else { continue };
        if !is_able(&metadata, (uid, gid), *access) {
            let (owner, mode) = (metadata.uid(), format!("{:04o}", metadata.mode() & 0o7777));
            tracing::warn!(
                provider = %key, dir = %name, path = %path.display(), owner, mode, uid,
                "the provider runs as user {uid}, who can't {} this directory; chown or chmod it", access.word()
            );
        }
    }
}

/// The limits of its process, and the host's where there are none.
fn bounds(limits: ProviderLimits) -> ResourceLimits {
    ResourceLimits {
        memory_bytes: limits.memory_bytes.unwrap_or(RESOURCE_LIMITS.memory_bytes),
        threads: limits.threads.unwrap_or(RESOURCE_LIMITS.threads),
        files: limits.files.unwrap_or(RESOURCE_LIMITS.files),
        file_bytes: limits.file_bytes.unwrap_or(RESOURCE_LIMITS.file_bytes),
        cpu_s: limits.cpu_s.unwrap_or(RESOURCE_LIMITS.cpu_s),
    }
}

/// The grants with paths that hold no symbolic link, of what is there.
fn on_this_machine(mut grants: Grants, state_dir: &Path) -> Result<Grants, Fault> {
    for PathGrant { name, path, .. } in &mut grants.dir {
        *path = directory(path, state_dir).map_err(|why| (format!("the directory {name:?}"), why))?;
    }
    for PathGrant { name, path, .. } in &mut grants.file {
        *path = file(path, state_dir).map_err(|why| (format!("the file {name:?}"), why))?;
    }
    for SecretGrant { name, from } in &grants.secret {
        secret(from, state_dir).map_err(|why| (format!("the secret {name:?}"), why))?;
    }
    Ok(grants)
}

fn directory(path: &Path, state_dir: &Path) -> Result<PathBuf, String> {
    let plain = fs::canonicalize(path).map_err(unusable(path))?;
    if !plain.is_dir() {
        return Err(format!("{} is no directory", path.display()));
    }
    if plain == Path::new("/") {
        return Err("the whole file system is never granted".to_owned());
    }
    if state_dir.starts_with(&plain) {
        return Err(format!("{} holds the host's own state, with its key", path.display()));
    }
    is_grantable(plain, state_dir)
}

fn file(path: &Path, state_dir: &Path) -> Result<PathBuf, String> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(format!("{} is no path of a file", path.display()));
    };
    let plain = fs::canonicalize(parent).map_err(unusable(parent))?.join(name);
    // Of the last step, too: whoever can put a link there could choose the file.
    let metadata = fs::symlink_metadata(&plain).map_err(unusable(path))?;
    if !metadata.is_file() {
        return Err(format!("{} is no regular file; of a symbolic link, give the target", path.display()));
    }
    is_grantable(plain, state_dir)
}

fn secret(from: &SecretSource, state_dir: &Path) -> Result<(), String> {
    match from {
        SecretSource::Env(name) => match std::env::var_os(name) {
            Some(_) => Ok(()),
            None => Err(format!("the host's environment has no variable {name}")),
        },
        SecretSource::File(path) => {
            let plain = fs::canonicalize(path).map_err(unusable(path))?;
            if !plain.is_file() {
                return Err(format!("{} is no regular file", path.display()));
            }
            is_grantable(plain, state_dir).map(drop)
        }
    }
}

fn is_grantable(plain: PathBuf, state_dir: &Path) -> Result<PathBuf, String> {
    if plain.starts_with(state_dir) {
        return Err(format!("{} lies in the host's own state", plain.display()));
    }
    if OF_THE_KERNEL.iter().any(|folder| plain.starts_with(folder)) {
        return Err(format!("{} is no part of a disk but of the kernel", plain.display()));
    }
    if plain.to_str().is_none() {
        return Err(format!("{} is not UTF-8", plain.display()));
    }
    Ok(plain)
}

fn unusable(path: &Path) -> impl FnOnce(io::Error) -> String {
    let path = path.display().to_string();
    move |error| format!("{path}: {error}")
}

/// A variable with its value. No error holds it.
fn variable(grant: &EnvGrant) -> Result<(String, String), Fault> {
    let EnvGrant { name, value } = grant;
    let refused = |why: &str| (format!("the variable {name}"), why.to_owned());
    let value = match value {
        Some(value) => value.clone(),
        None => match std::env::var(name) {
            Ok(value) => value,
            Err(std::env::VarError::NotPresent) => {
                return Err(refused("the host's environment does not have it; set it, or write {name, value}"));
            }
            Err(std::env::VarError::NotUnicode(_)) => return Err(refused("it is not UTF-8")),
        },
    };
    if value.contains('\0') || value.len() > SETTING_VALUE_BYTES_MAX {
        return Err(refused("its value holds a zero byte, or is longer than 64 KiB"));
    }
    Ok((name.clone(), value))
}

/// By the plain bits; access lists may allow more.
fn is_able(metadata: &Metadata, (uid, gid): (u32, u32), access: Access) -> bool {
    let bits = match access {
        Access::Read => 0o5,
        Access::Write => 0o7,
    };
    let shift = match () {
        () if metadata.uid() == uid => 6,
        () if metadata.gid() == gid => 3,
        () => 0,
    };
    metadata.mode() >> shift & bits == bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_granted_of_the_file_system() {
        let folder = tempfile::tempdir().expect("a directory");
        let root = fs::canonicalize(folder.path()).expect("it is there");
        let at = |path: &str| root.join(path);
        fs::create_dir_all(at("host/state/providers")).expect("made");
        fs::create_dir_all(at("data")).expect("made");
        fs::write(at("data/file"), b"x").expect("written");
        fs::write(at("host/state/host.nk"), b"x").expect("written");
        std::os::unix::fs::symlink(at("data"), at("link")).expect("made");
        std::os::unix::fs::symlink(at("data/file"), at("data/link")).expect("made");
        std::os::unix::fs::symlink(at("host/state/host.nk"), at("data/key")).expect("made");
        let state = at("host/state");
        let check = |found: Result<PathBuf, String>, expected: Result<&str, &str>, what: &str| match (found, expected) {
            (Ok(found), Ok(path)) => assert_eq!(found, at(path), "{what}"),
            (Err(why), Err(part)) => assert!(why.contains(part), "{what}: {why}"),
            (found, _) => panic!("{what}: {found:?}"),
        };
        for (path, expected) in [
            ("data", Ok("data")),
            ("link", Ok("data")),
            ("data/../data", Ok("data")),
            ("data/file", Err("no directory")),
            ("missing", Err("No such file")),
            ("/", Err("never granted")),
            ("/proc", Err("of the kernel")),
            ("/dev/shm", Err("of the kernel")),
            ("host", Err("holds the host's own state")),
            ("host/state", Err("holds the host's own state")),
            ("host/state/providers", Err("lies in the host's own state")),
            ("", Err("holds the host's own state")),
        ] {
            check(directory(&at(path), &state), expected, path);
        }
        for (path, expected) in [
            ("data/file", Ok("data/file")),
            ("link/file", Ok("data/file")),
            ("data/link", Err("no regular file")),
            ("data", Err("no regular file")),
            ("missing", Err("No such file")),
            ("host/state/host.nk", Err("lies in the host's own state")),
            ("/proc/self/mem", Err("of the kernel")),
        ] {
            check(file(&at(path), &state), expected, path);
        }
        for (path, expected) in [("data/link", Ok(())), ("data/key", Err("lies in the host's own state"))] {
            let found = secret(&SecretSource::File(at(path)), &state);
            assert_eq!(found.is_ok(), expected.is_ok(), "{path}: {found:?} {expected:?}");
        }
    }
}
