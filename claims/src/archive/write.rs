//! Writing archives: sign, pack, and put the file in place in one step, so that a reader sees the old file or the new one.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use nkeys::KeyPair;
use tar::{Builder, Header};

use super::{CLAIMS_FILE, LIBRARY_SUFFIX, ProviderArchive};
use crate::error::{ClaimsError, Fault};
use crate::files::replace_file;
use crate::metadata::ProviderMetadata;
use crate::token::{self, Validity};
use crate::wasm::sha256;

impl ProviderArchive {
    /// Signs the archive and writes it. `issuer` is an account with its seed, `subject` the provider's key. As ever,
    /// a compressed archive whose path does not end in `.gz` gets that ending; the path written is returned.
    pub fn write(
        &mut self,
        path: impl AsRef<Path>,
        issuer: &KeyPair,
        subject: &KeyPair,
        compress: bool,
    ) -> Result<PathBuf, ClaimsError> {
        let packing = if compress { Packing::Gzip } else { Packing::Plain };
        self.write_with(path, issuer, subject, &WriteOptions { packing, ..WriteOptions::default() })
    }

    /// [`Self::write`] with claims that are valid for a time only.
    pub fn write_with(
        &mut self,
        path: impl AsRef<Path>,
        issuer: &KeyPair,
        subject: &KeyPair,
        options: &WriteOptions,
    ) -> Result<PathBuf, ClaimsError> {
        let path = options.packing.path(path.as_ref());
        let source = path.display().to_string();
        let bytes = self.to_bytes(&source, issuer, subject, options)?;
        replace_file(&path, &bytes).map_err(|e| Fault::Unwritable { source: e }.on(&source))?;
        Ok(path)
    }

    /// Signs the archive and returns its bytes. The same content, keys and `issued_at` give the same bytes. `source`
    /// names the archive in errors.
    pub fn to_bytes(
        &mut self,
        source: &str,
        issuer: &KeyPair,
        subject: &KeyPair,
        options: &WriteOptions,
    ) -> Result<Vec<u8>, ClaimsError> {
        self.sign(&options.validity, issuer, subject)
            .and_then(|token| self.pack(&token, options.packing).map_err(|e| Fault::Unwritable { source: e }))
            .map_err(|fault| fault.on(source))
    }

    fn sign(&mut self, validity: &Validity, issuer: &KeyPair, subject: &KeyPair) -> Result<String, Fault> {
        if self.libraries.is_empty() {
            return Err(Fault::NoLibrary);
        }
        if self.capid.trim().is_empty() {
            return Err(Fault::NoContract);
        }
        let metadata = ProviderMetadata {
            name: Some(self.name.clone()),
            capid: self.capid.clone(),
            vendor: self.vendor.clone(),
            rev: self.rev,
            ver: self.ver.clone(),
            target_hashes: self.libraries.iter().map(|(target, lib)| (target.clone(), sha256(lib))).collect(),
            needs: self.needs.clone(),
        };
        let decoded = token::sign(metadata, validity, issuer, subject)?;
        let token = decoded.text.clone();
        self.decoded = Some(decoded);
        Ok(token)
    }

    fn pack(&self, token: &str, packing: Packing) -> std::io::Result<Vec<u8>> {
        match packing {
            Packing::Plain => self.pack_into(token, Vec::new()),
            Packing::Gzip => self.pack_into(token, GzEncoder::new(Vec::new(), Compression::default()))?.finish(),
        }
    }

    /// The claims come first, as every reader of the era expects.
    fn pack_into<W: Write>(&self, token: &str, to: W) -> std::io::Result<W> {
        let mut tar = Builder::new(to);
        append(&mut tar, CLAIMS_FILE, token.as_bytes())?;
        for (target, library) in &self.libraries {
            append(&mut tar, &format!("{target}{LIBRARY_SUFFIX}"), library)?;
        }
        tar.into_inner()
    }
}

/// How to sign and store an archive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// When the claims are valid.
    pub validity: Validity,
    /// How the file is stored.
    pub packing: Packing,
}

/// How an archive is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Packing {
    /// A plain tar file, `.par`.
    #[default]
    Plain,
    /// Compressed, `.par.gz`.
    Gzip,
}

impl Packing {
    /// Which bytes a place in the tar file counts.
    pub(crate) fn of_what(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Gzip => " of what it unpacks to",
        }
    }

    fn path(self, path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        if self == Self::Gzip && path.extension().is_none_or(|extension| extension != "gz") {
            name.push(".gz");
        }
        PathBuf::from(name)
    }
}

fn append<W: Write>(tar: &mut Builder<W>, name: &str, content: &[u8]) -> std::io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, name, content)
}
