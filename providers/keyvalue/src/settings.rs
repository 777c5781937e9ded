//! The values of a link, checked.

use cofferdam_provider::Link;
use thiserror::Error;

/// Where the values of a link are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In memory, for this link alone.
    Memory,
    /// In the file of this name below the state directory, shared by all links that name it.
    File(String),
}

/// Why a link was refused: the operator's mistake.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum SettingsError {
    #[error("the link value DB is {0:?}: a database is named by 1 to 64 of A-Z, a-z, 0-9, _ and -")]
    Name(String),
    #[error("the link value MEMORY is {0:?}: it is true or false")]
    Memory(String),
    #[error("the link values DB and MEMORY=true exclude each other")]
    Both,
}

impl Place {
    pub(crate) fn of(link: &Link<'_>) -> Result<Self, SettingsError> {
        let name = link.get("DB");
        match (link.get("MEMORY").unwrap_or("false"), name) {
            ("true", None) => Ok(Self::Memory),
            ("true", Some(_)) => Err(SettingsError::Both),
            ("false", name) => database_name(name.unwrap_or("default")).map(Self::File),
            (other, _) => Err(SettingsError::Memory(other.into())),
        }
    }
}

/// The settings of a link that mean nothing here. The host's own are left out.
pub(crate) fn unknown<'a>(link: &Link<'a>) -> Vec<&'a str> {
    let names = link.values().map(|(name, _)| name);
    names.filter(|name| !matches!(*name, "DB" | "MEMORY") && !name.starts_with("__wasmcloud_")).collect()
}

fn database_name(name: &str) -> Result<String, SettingsError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if matches!(name.len(), 1..=64) && name.bytes().all(plain) {
        Ok(name.into())
    } else {
        Err(SettingsError::Name(name.into()))
    }
}
