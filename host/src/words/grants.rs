//! What an operator grants to one provider, as data: from a manifest, or from the program that embeds the host. What
//! follows from it is decided in [`crate::grants`].

use std::fmt;
use std::path::PathBuf;

use super::AddressPattern;

/// What one provider is granted. Nothing, by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Addresses to listen on.
    pub listen: Vec<AddressPattern>,
    /// Addresses to connect to.
    pub connect: Vec<AddressPattern>,
    /// Directories, which the provider finds under their names.
    pub dir: Vec<PathGrant>,
    /// Files, which the host opens when the provider asks for their names.
    pub file: Vec<PathGrant>,
    /// Variables of the environment.
    pub env: Vec<EnvGrant>,
    /// Secrets, which the provider reads under their names.
    pub secret: Vec<SecretGrant>,
    /// The host's network, for a library that opens sockets by itself.
    pub network: Option<NetworkGrant>,
}

/// A directory or a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathGrant {
    /// The name that the provider opens it by.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// What may be done with it.
    pub access: Access,
}

/// What may be done with a directory or a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// It may be read.
    #[default]
    Read,
    /// It may be read and changed.
    Write,
}

/// A variable of the environment.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvGrant {
    /// Its name.
    pub name: String,
    /// Its value; none is what the host's own environment holds.
    pub value: Option<String>,
}

/// A secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretGrant {
    /// The name that the provider opens it by.
    pub name: String,
    /// Where the host has it from.
    pub from: SecretSource,
}

/// Where a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// A variable of the host's own environment.
    Env(String),
    /// A file that the host can read.
    File(PathBuf),
}

/// TCP ports of the host's network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkGrant {
    /// Ports to listen on.
    pub bind: Vec<u16>,
    /// Ports to connect to.
    pub connect: Vec<u16>,
}

/// What one provider may use up; what is `None` is left to the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProviderLimits {
    /// Private writable memory.
    pub memory_bytes: Option<u64>,
    /// Threads.
    pub threads: Option<u32>,
    /// Open descriptors.
    pub files: Option<u32>,
    /// The size of a file that it writes.
    pub file_bytes: Option<u64>,
    /// Seconds of a processor, for each of its processes.
    pub cpu_s: Option<u64>,
    /// Thousandths of one processor that it may use at a time.
    pub cpus_milli: Option<u32>,
    /// Calls at once, each way.
    pub calls: Option<u32>,
}

impl Access {
    /// As it is written and shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// Whether a text can be the name of a directory, a file or a secret: one step of a path, which says nothing else.
pub fn is_grant_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !text.is_empty() && text.len() <= 64 && text.chars().all(plain) && !text.starts_with('.')
}

/// Whether a text can be the name of a variable.
pub fn is_env_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !text.is_empty() && text.len() <= 128 && text.chars().all(plain) && !text.starts_with(|c: char| c.is_ascii_digit())
}

/// The name, and never what it holds.
impl fmt::Debug for EnvGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.as_ref().map(|_| format_args!("…"));
        f.debug_struct("EnvGrant").field("name", &self.name).field("value", &value).finish()
    }
}
