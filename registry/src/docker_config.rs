//! The Docker configuration, as far as it says who to be at a registry: `auths` with `auth` in Base64, or with `username`
//! and `password`. The programs that `credHelpers` and `credsStore` name are not run: a warning says so, for a registry
//! that has nothing else. No error quotes the file.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::cache::read_bounded;
use crate::credentials::Login;

const FILE_BYTES_MAX: u64 = 1 << 20;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

/// What the file says of a registry. A file that isn't there says nothing. The error is what is wrong with it.
pub(crate) fn login(path: &Path, registry: &str) -> Result<Option<Login>, String> {
    let bytes = match read_bounded(path, FILE_BYTES_MAX) {
        Ok(bytes) => bytes.ok_or("it is larger than 1 MiB")?,
        // `HOME` may be anything in a container.
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error.to_string()),
    };
    // Its own text may quote what it found.
    let file: File = serde_json::from_slice(&bytes)
        .map_err(|error| format!("it is wrong at line {}, column {}", error.line(), error.column()))?;
    let named = |key: &String| host_of(key) == registry;
    if let Some(entry) = file.auths.iter().find(|(key, _)| named(key)).map(|(_, entry)| entry) {
        let found =
            read(entry).ok_or_else(|| format!("its entry for {registry} has no user and password in Base64"))?;
        if found.is_some() {
            return Ok(found);
        }
    }
    if file.store.is_some() || file.helpers.keys().any(named) {
        tracing::warn!(
            registry,
            "the Docker configuration leaves this registry's password to a helper program, which is not run; \
             set OCI_REGISTRY_USER and OCI_REGISTRY_PASSWORD if it asks for one"
        );
    }
    Ok(None)
}

/// Keys are hosts, or addresses of these with a scheme and a path.
fn host_of(key: &str) -> &str {
    let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

/// `None` for an entry that can't be read, `Some(None)` for an empty one, which stands for a helper program.
fn read(entry: &Entry) -> Option<Option<Login>> {
    if let (Some(user), Some(password)) = (&entry.username, &entry.password) {
        return Some(Some(Login::new(user, password)));
    }
    let Some(auth) = entry.auth.as_deref().filter(|auth| !auth.is_empty()) else { return Some(None) };
    let decoded = String::from_utf8(STANDARD.decode(auth).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    // Old tools end it with a zero byte.
    Some(Some(Login::new(user, password.trim_end_matches('\0'))))
}
