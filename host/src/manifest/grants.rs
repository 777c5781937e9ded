//! What a manifest grants to a provider, and what it may use up: `capabilities[].grants` and `capabilities[].limits`.

use std::path::{Path, PathBuf};

use super::cursor::{Cursor, Known};
use super::fault::{Fault, shown};
use super::sections::entries;
use super::{ManifestError, quantity};
use crate::words::{
    Access, AddressPattern, EnvGrant, Grants, NetworkGrant, PathGrant, ProviderLimits, SecretGrant, SecretSource,
    is_env_name, is_grant_name,
};

const GRANTS: Known =
    Known { keys: &["listen", "connect", "dir", "file", "env", "secret", "network"], later: &[], may_grow: false };
const PATH_GRANT: Known = Known { keys: &["name", "path", "access"], later: &[], may_grow: false };
const ENV_GRANT: Known = Known { keys: &["name", "value"], later: &[], may_grow: false };
const SECRET_GRANT: Known = Known { keys: &["name", "from"], later: &[], may_grow: false };
const SECRET_SOURCE: Known = Known { keys: &["env", "file"], later: &[], may_grow: false };
const NETWORK: Known = Known { keys: &["bind", "connect"], later: &[], may_grow: false };
const LIMITS: Known =
    Known { keys: &["memory", "threads", "files", "file_size", "cpu", "cpus", "calls"], later: &[], may_grow: false };

const ACCESSES: [&str; 2] = [Access::Read.word(), Access::Write.word()];
const NAME_RULE: &str = "1 to 64 letters, digits, `.`, `_` and `-`, and no `.` first";
const ENV_NAME_RULE: &str = "letters, digits and `_`, and no digit first";

/// Below it a library and its threads have no room.
const MEMORY_BYTES: (u64, u64) = (32 << 20, 1 << 40);
/// Below it the shim's own have no room.
const THREADS: (u32, u32) = (16, 32_768);
const FILES: (u32, u32) = (32, 1 << 20);
const FILE_BYTES: (u64, u64) = (1, 1 << 44);
const CPU_S_MAX: u32 = u32::MAX;
/// The kernel takes no less, and no machine has more.
const CPUS_MILLI: (u32, u32) = (10, 8_192_000);
/// As many as the protocol between host and shim takes.
const CALLS_MAX: u32 = 1024;

pub(super) fn grants(section: &Cursor<'_>, base_dir: &Path) -> Result<Grants, ManifestError> {
    let fields = section.fields(&GRANTS, "a mapping of listen, connect, dir, file, env, secret and network")?;
    let name = |grant: &PathGrant| grant.name.clone();
    let path = |entry: &Cursor<'_>| path_grant(entry, base_dir);
    Ok(Grants {
        listen: entries(fields.get("listen"), "address", listened, AddressPattern::clone)?,
        connect: entries(fields.get("connect"), "address", address, AddressPattern::clone)?,
        dir: entries(fields.get("dir"), "directory", path, name)?,
        file: entries(fields.get("file"), "file", path, name)?,
        env: entries(fields.get("env"), "variable", env_grant, |grant| grant.name.clone())?,
        secret: entries(
            fields.get("secret"),
            "secret",
            |entry| secret_grant(entry, base_dir),
            |grant| grant.name.clone(),
        )?,
        network: fields.get("network").map(network).transpose()?,
    })
}

pub(super) fn limits(section: &Cursor<'_>) -> Result<ProviderLimits, ManifestError> {
    let fields = section.fields(&LIMITS, "a mapping of memory, threads, files, file_size, cpu, cpus and calls")?;
    let size = |key, (min, max)| {
        let read = |value: &Cursor<'_>| {
            quantity::bytes(value.filled("a size")?, min, max).map_err(|fault| value.refuse(fault))
        };
        fields.get(key).map(read).transpose()
    };
    let count = |key, bounds| fields.get(key).map(|value| number(value, bounds)).transpose();
    Ok(ProviderLimits {
        memory_bytes: size("memory", MEMORY_BYTES)?,
        threads: count("threads", THREADS)?,
        files: count("files", FILES)?,
        file_bytes: size("file_size", FILE_BYTES)?,
        cpu_s: count("cpu", (1, CPU_S_MAX))?.map(u64::from),
        cpus_milli: fields.get("cpus").map(processors).transpose()?,
        calls: count("calls", (1, CALLS_MAX))?,
    })
}

fn processors(value: &Cursor<'_>) -> Result<u32, ManifestError> {
    let (min, max) = CPUS_MILLI;
    quantity::thousandths(value.filled("a number")?, min, max).map_err(|fault| value.refuse(fault))
}

fn number(value: &Cursor<'_>, (min, max): (u32, u32)) -> Result<u32, ManifestError> {
    quantity::number(value.filled("a whole number")?, min, max).map_err(|fault| value.refuse(fault))
}

fn address(cursor: &Cursor<'_>) -> Result<AddressPattern, ManifestError> {
    let text = cursor.filled("an address")?;
    text.parse().map_err(|why| cursor.refuse(Fault::NotAnAddress { found: shown(text), why }))
}

fn listened(cursor: &Cursor<'_>) -> Result<AddressPattern, ManifestError> {
    let address = address(cursor)?;
    if address.is_of_names() {
        return Err(cursor.refuse(Fault::NotListenable { found: shown(&address.to_string()) }));
    }
    Ok(address)
}

fn path_grant(cursor: &Cursor<'_>, base_dir: &Path) -> Result<PathGrant, ManifestError> {
    let fields = cursor.fields(&PATH_GRANT, "a mapping of name, path and access")?;
    Ok(PathGrant {
        name: name(fields.need("name")?)?,
        path: path(fields.need("path")?, base_dir)?,
        access: fields.get("access").map(access).transpose()?.unwrap_or_default(),
    })
}

/// A relative path starts from the manifest's folder.
fn path(cursor: &Cursor<'_>, base_dir: &Path) -> Result<PathBuf, ManifestError> {
    Ok(base_dir.join(cursor.filled("a path")?))
}

fn access(cursor: &Cursor<'_>) -> Result<Access, ManifestError> {
    let word = cursor.filled("read or write")?;
    let known = [Access::Read, Access::Write];
    let found = known.into_iter().find(|access| access.word() == word);
    found.ok_or_else(|| cursor.refuse(Fault::NotOneOf { found: shown(word), known: &ACCESSES }))
}

fn name(cursor: &Cursor<'_>) -> Result<String, ManifestError> {
    let text = cursor.filled("a name")?;
    if is_grant_name(text) {
        return Ok(text.to_owned());
    }
    Err(cursor.refuse(Fault::NotAName { found: shown(text), rule: NAME_RULE }))
}

fn env_name(cursor: &Cursor<'_>) -> Result<String, ManifestError> {
    let text = cursor.filled("the name of a variable")?;
    if is_env_name(text) {
        return Ok(text.to_owned());
    }
    // What follows a `=` was meant to be the value, which may be a secret.
    let found = text.split_once('=').map_or_else(|| shown(text), |(name, _)| shown(&format!("{name}=…")));
    Err(cursor.refuse(Fault::NotAName { found, rule: ENV_NAME_RULE }))
}

fn env_grant(cursor: &Cursor<'_>) -> Result<EnvGrant, ManifestError> {
    if cursor.is_text() {
        return Ok(EnvGrant { name: env_name(cursor)?, value: None });
    }
    let fields = cursor.fields(&ENV_GRANT, "the name of a variable, or a mapping of name and value")?;
    let value = fields.get("value").map(|value| value.text("a text")).transpose()?;
    Ok(EnvGrant { name: env_name(fields.need("name")?)?, value: value.map(str::to_owned) })
}

fn secret_grant(cursor: &Cursor<'_>, base_dir: &Path) -> Result<SecretGrant, ManifestError> {
    let fields = cursor.fields(&SECRET_GRANT, "a mapping of name and from")?;
    let from = fields.need("from")?;
    let sources = from.fields(&SECRET_SOURCE, "a mapping of env or file")?;
    let from = match (sources.get("env"), sources.get("file")) {
        (Some(variable), None) => SecretSource::Env(env_name(variable)?),
        (None, Some(file)) => SecretSource::File(path(file, base_dir)?),
        (Some(_), Some(_)) | (None, None) => {
            return Err(from.refuse(Fault::NotOneKey { known: SECRET_SOURCE.keys }));
        }
    };
    Ok(SecretGrant { name: name(fields.need("name")?)?, from })
}

fn network(cursor: &Cursor<'_>) -> Result<NetworkGrant, ManifestError> {
    let fields = cursor.fields(&NETWORK, "a mapping of bind and connect")?;
    let port = |cursor: &Cursor<'_>| {
        let port = number(cursor, (1, u16::MAX.into()))?;
        // Within the bounds of the line above.
        Ok(u16::try_from(port).unwrap_or(u16::MAX))
    };
    Ok(NetworkGrant {
        bind: entries(fields.get("bind"), "port", port, u16::clone)?,
        connect: entries(fields.get("connect"), "port", port, u16::clone)?,
    })
}
