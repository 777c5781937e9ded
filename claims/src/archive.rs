//! Provider archives (`.par`, `.par.gz`): the signed claims of a provider and one library for each target.
//!
//! The names are those of the `provider-archive` crate 0.4, with three differences. Loading proves nothing:
//! [`ProviderArchive::verify`] does. A library that is to be opened comes from [`ProviderArchive::library`], which
//! needs that proof and compares the bytes with it once more. And writing replaces the file in one step.

mod read;
mod write;

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::Path;
use std::sync::LazyLock;
use std::time::SystemTime;

use wascap::jwt::Claims;

use crate::error::{Bearer, Check, ClaimsError, Fault, plain};
use crate::files::open_file;
use crate::keys::KeyKind;
use crate::metadata::ProviderMetadata;
use crate::needs::Needs;
use crate::token::{Decoded, Inspection, Metadata, Scrutiny, Verified};
use crate::trust::Trust;
use crate::wasm::sha256;

pub use write::{Packing, WriteOptions};

const CLAIMS_FILE: &str = "claims.jwt";
const LIBRARY_SUFFIX: &str = ".bin";
const TARGET_CHARS_MAX: usize = 64;

/// How much is read of an archive. What is over is refused while it is being unpacked, so a small file that
/// unpacks to a large one costs no more than this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Bytes of `claims.jwt`.
    pub claims_bytes_max: u64,
    /// Bytes of one library.
    pub library_bytes_max: u64,
    /// Bytes of the whole archive, unpacked.
    pub total_bytes_max: u64,
    /// How many entries.
    pub entries_max: u32,
}

/// A provider archive in memory.
#[derive(Debug, Clone)]
pub struct ProviderArchive {
    capid: String,
    name: String,
    vendor: String,
    rev: Option<i32>,
    ver: Option<String>,
    needs: Option<Needs>,
    /// By target.
    libraries: BTreeMap<String, Vec<u8>>,
    /// There after it was loaded or written; gone as soon as a library is added.
    decoded: Option<Decoded<ProviderMetadata>>,
}

impl Default for ArchiveLimits {
    /// 64 KiB of claims, 256 MiB a library, 512 MiB in all, 64 entries.
    fn default() -> Self {
        Self {
            claims_bytes_max: 64 * 1024,
            library_bytes_max: 256 * 1024 * 1024,
            total_bytes_max: 512 * 1024 * 1024,
            entries_max: 64,
        }
    }
}

impl Metadata for ProviderMetadata {
    const BEARER: Bearer = Bearer::Provider;
    const SUBJECT: KeyKind = KeyKind::Provider;
}

impl ProviderArchive {
    /// A new, empty archive. `capid` is the contract that the provider serves, for example `wasmcloud:keyvalue`.
    pub fn new(capid: &str, name: &str, vendor: &str, rev: Option<i32>, ver: Option<String>) -> Self {
        Self {
            capid: capid.to_owned(),
            name: name.to_owned(),
            vendor: vendor.to_owned(),
            rev,
            ver,
            needs: None,
            libraries: BTreeMap::new(),
            decoded: None,
        }
    }

    /// States what the provider needs of the world; `None` states nothing. The archive must then be written again.
    pub fn set_needs(&mut self, needs: Option<Needs>) {
        self.decoded = None;
        self.needs = needs;
    }

    /// Adds the library for a target (`x86_64-linux`), or replaces it. The archive must then be written (signed) again.
    pub fn add_library(&mut self, target: &str, library: &[u8]) -> Result<(), ClaimsError> {
        if !is_target(target) {
            return Err(Fault::BadTarget { target: plain(target) }.on("provider archive"));
        }
        self.decoded = None;
        self.libraries.insert(target.to_owned(), library.to_vec());
        Ok(())
    }

    /// Reads an archive with the default limits. What it says is not to be trusted before [`Self::verify`].
    pub fn try_load(bytes: &[u8]) -> Result<Self, ClaimsError> {
        Self::read("provider archive", bytes, &ArchiveLimits::default())
    }

    /// Reads an archive from a file with the default limits, see [`Self::try_load`].
    pub fn try_load_file(path: impl AsRef<Path>) -> Result<Self, ClaimsError> {
        let source = path.as_ref().display().to_string();
        let file = open_file(path.as_ref()).map_err(|e| Fault::Unreadable { source: e }.on(&source))?;
        Self::read(&source, BufReader::with_capacity(64 * 1024, file), &ArchiveLimits::default())
    }

    /// Reads an archive from anywhere. `source` names it in errors.
    pub fn read(source: &str, from: impl std::io::BufRead, limits: &ArchiveLimits) -> Result<Self, ClaimsError> {
        read::read(from, limits).map_err(|fault| fault.on(source))
    }

    /// The targets that there is a library for, in order.
    pub fn targets(&self) -> Vec<String> {
        self.libraries.keys().cloned().collect()
    }

    /// A copy of the library for a target, **unverified**.
    pub fn target_bytes(&self, target: &str) -> Option<Vec<u8>> {
        self.libraries.get(target).cloned()
    }

    /// The claims, **unverified**. `None` while a new archive has not been written.
    pub fn claims(&self) -> Option<Claims<ProviderMetadata>> {
        self.decoded.as_ref().map(|decoded| decoded.claims.clone())
    }

    /// The token of the claims, unverified, if there is one.
    pub fn claims_token(&self) -> Option<&str> {
        self.decoded.as_ref().map(|decoded| decoded.text.as_str())
    }

    /// Checks keys, signature, time, issuer, that the libraries are exactly those that were signed, the hash of every
    /// one, and that a contract is named; in this order.
    pub fn verify(
        &self,
        source: &str,
        trust: &Trust,
        now: SystemTime,
    ) -> Result<Verified<ProviderMetadata>, ClaimsError> {
        let decoded = self.decoded(source)?.clone();
        decoded.verify(&Scrutiny { file: source, trust, now }, &|metadata, check| self.check(metadata, check))
    }

    /// Makes every check and lists the outcomes, for people to read. Fails only when there is no token to show.
    pub fn inspect(
        &self,
        source: &str,
        trust: &Trust,
        now: SystemTime,
    ) -> Result<Inspection<ProviderMetadata>, ClaimsError> {
        let decoded = self.decoded(source)?.clone();
        Ok(decoded.inspect(&Scrutiny { file: source, trust, now }, &|metadata, check| self.check(metadata, check)))
    }

    /// The library for a target, compared with the hash in verified claims: the bytes to open.
    pub fn library(&self, proof: &Verified<ProviderMetadata>, target: &str) -> Result<&[u8], ClaimsError> {
        let found = match (self.libraries.get(target), proof.metadata().target_hashes.get(target)) {
            (Some(library), Some(hash)) => check_hash(target, library, hash).map(|()| library.as_slice()),
            _ => Err(Fault::MissingTarget { target: plain(target), present: self.targets() }),
        };
        found.map_err(|fault| fault.on(proof.file()))
    }

    fn decoded(&self, source: &str) -> Result<&Decoded<ProviderMetadata>, ClaimsError> {
        let unsigned = || Fault::Unsigned { bearer: Bearer::Provider, place: CLAIMS_FILE };
        self.decoded.as_ref().ok_or_else(|| unsigned().on(source))
    }

    fn check(&self, metadata: &ProviderMetadata, check: Check) -> Result<(), Fault> {
        let hashes = &metadata.target_hashes;
        match check {
            Check::Files => {
                if let Some(target) = hashes.keys().find(|target| !self.libraries.contains_key(*target)) {
                    return Err(Fault::MissingLibrary { target: plain(target) });
                }
                match self.libraries.keys().find(|target| !hashes.contains_key(*target)) {
                    Some(target) => Err(Fault::ExtraFile { name: format!("{target}{LIBRARY_SUFFIX}") }),
                    None => Ok(()),
                }
            }
            Check::Contract if metadata.capid.trim().is_empty() => Err(Fault::NoContract),
            Check::Contract => Ok(()),
            _ => self.libraries.iter().try_for_each(|(target, library)| match hashes.get(target) {
                Some(hash) => check_hash(target, library, hash),
                None => Err(Fault::ExtraFile { name: format!("{target}{LIBRARY_SUFFIX}") }),
            }),
        }
    }
}

/// The target of this machine, as archives name it: `x86_64-linux`.
pub fn native_target() -> &'static str {
    static TARGET: LazyLock<String> = LazyLock::new(|| format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS));
    &TARGET
}

fn check_hash(target: &str, library: &[u8], claimed: &str) -> Result<(), Fault> {
    let found = sha256(library);
    if found == claimed {
        return Ok(());
    }
    Err(Fault::WrongHash { what: format!("the library {target}{LIBRARY_SUFFIX}"), found, claimed: plain(claimed) })
}

/// `{arch}-{os}`, of plain letters, digits and `_`.
fn is_target(text: &str) -> bool {
    let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    text.len() <= TARGET_CHARS_MAX && text.split_once('-').is_some_and(|(arch, os)| word(arch) && word(os))
}
