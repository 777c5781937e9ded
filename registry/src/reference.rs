//! References: `REGISTRY[:PORT]/REPOSITORY[:TAG][@DIGEST]`, by the grammar of the OCI distribution specification. Pure.
//!
//! The registry is never guessed. Tools that fill in a public one when none is written fetch other people's bytes when
//! somebody forgets it, so a first part that can't be a registry's name is an error here.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::digest::Digest;

const TEXT_BYTES_MAX: usize = 1024;
/// Bounds of the specification: a repository with its registry, and a tag.
const NAME_BYTES_MAX: usize = 255;
const TAG_BYTES_MAX: usize = 128;

/// A place in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    registry: String,
    repository: String,
    version: Version,
    written: String,
}

/// Which of a repository's contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Version {
    /// None was written. Registries take it for the tag `latest`.
    Untagged,
    /// A name that may come to mean something else.
    Tag(String),
    /// These bytes and no others, whatever tag stood beside it.
    Digest(Digest),
}

/// Why a text is no reference: the operator's to mend.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is no reference to a registry: {why}")]
pub struct ReferenceError {
    /// As it was written, clipped.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Reference {
    /// The registry, with its port if one was written.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository in it.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Which of its contents.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Whether what it means is left to the registry: the tag `latest`, or no tag at all.
    pub fn is_latest(&self) -> bool {
        match &self.version {
            Version::Untagged => true,
            Version::Tag(tag) => tag == "latest",
            Version::Digest(_) => false,
        }
    }

    /// The same place, with these bytes and no others.
    #[must_use]
    pub fn at(&self, digest: Digest) -> Self {
        let Self { registry, repository, .. } = self.clone();
        let written = format!("{registry}/{repository}@{digest}");
        Self { registry, repository, version: Version::Digest(digest), written }
    }

    /// What stands in addresses for its version.
    pub(crate) fn version_text(&self) -> String {
        match &self.version {
            Version::Untagged => "latest".to_owned(),
            Version::Tag(tag) => tag.clone(),
            Version::Digest(digest) => digest.to_string(),
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        parse(text).map_err(|why| ReferenceError { text: text.chars().take(200).collect(), why })
    }
}

impl fmt::Display for Reference {
    /// As it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

fn parse(text: &str) -> Result<Reference, &'static str> {
    if text.len() > TEXT_BYTES_MAX {
        return Err("it is too long");
    }
    if text.contains("://") {
        return Err("it begins with a scheme; leave that out");
    }
    let (registry, rest) = text.split_once('/').ok_or("it names no registry; write REGISTRY/REPOSITORY:TAG")?;
    check_registry(registry)?;
    let (rest, digest) = match rest.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (rest, None),
    };
    let (repository, tag) = match rest.split_once(':') {
        Some((repository, tag)) => (repository, Some(tag)),
        None => (rest, None),
    };
    check_repository(repository)?;
    if registry.len() + 1 + repository.len() > NAME_BYTES_MAX {
        return Err("registry and repository have more than 255 characters");
    }
    tag.map_or(Ok(()), check_tag)?;
    let version = match (digest, tag) {
        (Some(digest), _) => {
            let not_one = "its digest is not `sha256:` with 64 lower-case hexadecimal digits";
            Version::Digest(digest.parse().map_err(|_| not_one)?)
        }
        (None, Some(tag)) => Version::Tag(tag.to_owned()),
        (None, None) => Version::Untagged,
    };
    let (registry, repository, written) = (registry.to_owned(), repository.to_owned(), text.to_owned());
    Ok(Reference { registry, repository, version, written })
}

/// `HOST`, `HOST:PORT` or `[IPv6]:PORT`. A host without a dot or a port is a folder more often than a registry.
fn check_registry(registry: &str) -> Result<(), &'static str> {
    let (host, port) = match registry.rsplit_once(':') {
        Some((host, port)) if !registry.ends_with(']') => (host, Some(port)),
        _ => (registry, None),
    };
    if let Some(port) = port {
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || !port.parse::<u16>().is_ok_and(|port| port > 0) {
            return Err("the registry's port is no number from 1 to 65535");
        }
    }
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']').and_then(|address| address.parse::<std::net::Ipv6Addr>().ok());
        return address.map(drop).ok_or("the registry's address in brackets is no IPv6 address");
    }
    let label = |label: &str| {
        let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        !label.is_empty() && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    if !host.split('.').all(label) {
        return Err("its first part is no name of a registry");
    }
    if port.is_none() && !host.contains('.') && host != "localhost" {
        return Err("it names no registry; a registry's name has a dot or a port");
    }
    Ok(())
}

/// Parts of lower-case letters and digits, with `.`, `_`, `__` or any number of `-` between these.
fn check_repository(repository: &str) -> Result<(), &'static str> {
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let separators = |part: &str| {
        let separators = part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        separators
            .filter(|between| !between.is_empty())
            .all(|between| matches!(between, "." | "_" | "__") || between.bytes().all(|byte| byte == b'-'))
    };
    let good = |part: &str| {
        let bytes = part.as_bytes();
        bytes.first().is_some_and(alphanumeric) && bytes.last().is_some_and(alphanumeric) && separators(part)
    };
    match repository.split('/').all(good) {
        true => Ok(()),
        false => Err("its repository is not lower-case letters and digits, with `.`, `_`, `-` or `/` between these"),
    }
}

fn check_tag(tag: &str) -> Result<(), &'static str> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let good = tag.starts_with(word) && tag.chars().all(|c| word(c) || c == '.' || c == '-');
    match good && tag.len() <= TAG_BYTES_MAX {
        true => Ok(()),
        false => {
            Err("its tag is not 1 to 128 letters, digits, `_`, `.` or `-`, beginning with neither of the last two")
        }
    }
}

#[cfg(test)]
mod tests;
