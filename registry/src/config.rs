//! How registries are used. Everything that an operator may decide is here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::credentials::Credentials;
use crate::error::RegistryError;
use crate::media::{Kind, Wanted};
use crate::retry::RetryPolicy;

const MIB: u64 = 1 << 20;
const AUTHORITIES_BYTES_MAX: u64 = MIB;

/// How registries are used.
#[derive(Clone, Debug)]
pub struct RegistryConfig {
    /// Where what was fetched is kept.
    pub cache_dir: PathBuf,
    /// All of it together. What was not used for the longest time goes first.
    pub cache_bytes_max: u64,
    /// Whether references may leave it to the registry what they mean.
    pub latest: Latest,
    /// Registries that are spoken to without TLS, as they are written in references, with their port.
    pub insecure: Vec<String>,
    /// A file of certificates, in PEM form, of authorities that are trusted beside the system's.
    pub authorities: Option<PathBuf>,
    /// Who to be.
    pub credentials: Credentials,
    /// What becomes of a tag whose registry can't be reached.
    pub offline: Offline,
    /// How large artifacts may be.
    pub sizes: SizeLimits,
    /// When and how often it is tried again.
    pub retry: RetryPolicy,
    /// How long a connection may take to come about, and then stand still.
    pub stall_timeout: Duration,
    /// How long one pull or push may take, with all its attempts.
    pub timeout: Duration,
}

/// What to do with `latest`, and with references that have neither tag nor digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Latest {
    /// What it means changes, so it is refused.
    #[default]
    Refused,
    /// Taken, and asked for each time.
    Allowed,
}

/// What becomes of a tag whose registry can't be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Offline {
    /// What it meant when it was last pulled is taken, and a warning says so.
    #[default]
    UseLast,
    /// It is an error.
    Fail,
}

/// How large things may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeLimits {
    /// A module.
    pub actor_bytes_max: u64,
    /// An archive.
    pub provider_bytes_max: u64,
}

impl RegistryConfig {
    /// The defaults, with a cache in this directory: TLS everywhere, `latest` refused, nobody's credentials.
    pub fn new(cache_dir: impl Into<PathBuf>) -> Self {
        Self {
            cache_dir: cache_dir.into(),
            cache_bytes_max: 4096 * MIB,
            latest: Latest::default(),
            insecure: Vec::new(),
            authorities: None,
            credentials: Credentials::default(),
            offline: Offline::default(),
            sizes: SizeLimits::default(),
            retry: RetryPolicy::default(),
            stall_timeout: Duration::from_secs(20),
            timeout: Duration::from_secs(600),
        }
    }
}

impl Default for SizeLimits {
    fn default() -> Self {
        Self { actor_bytes_max: 64 * MIB, provider_bytes_max: 512 * MIB }
    }
}

impl SizeLimits {
    /// For what is looked for.
    pub(crate) fn of(self, wanted: Wanted) -> u64 {
        match wanted {
            Wanted::Only(Kind::Actor) => self.actor_bytes_max,
            Wanted::Only(Kind::Provider) => self.provider_bytes_max,
            Wanted::Any => self.actor_bytes_max.max(self.provider_bytes_max),
        }
    }
}

/// Reads a file of certificates, at least one.
pub(crate) fn authorities(path: &Path) -> Result<Vec<Vec<u8>>, RegistryError> {
    let refused = |why: String| RegistryError::Authorities { path: path.to_owned(), why };
    let bytes = crate::cache::read_bounded(path, AUTHORITIES_BYTES_MAX).map_err(|error| refused(error.to_string()))?;
    let bytes = bytes.ok_or_else(|| refused("it is larger than 1 MiB".to_owned()))?;
    use rustls::pki_types::pem::PemObject as _;
    let certificates = rustls::pki_types::CertificateDer::pem_slice_iter(&bytes);
    let certificates: Result<Vec<_>, _> = certificates.map(|one| one.map(|der| der.to_vec())).collect();
    let certificates = certificates.map_err(|_| refused("it is not in PEM form".to_owned()))?;
    if certificates.is_empty() {
        return Err(refused("it holds no certificate".to_owned()));
    }
    Ok(certificates)
}
