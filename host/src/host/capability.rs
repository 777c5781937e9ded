//! A provider that may be started: an archive, and the link name to run it under.

use cofferdam_claims::{ProviderArchive, ProviderMetadata, Trust, Verified, native_target};

use std::time::SystemTime;

use super::{HostError, Result};
use crate::words::ProviderKey;

/// An archive to run under a link name. Its signature, times and hashes have been checked; whether its issuer is trusted
/// is the host's to decide when it is started.
#[derive(Clone, Debug)]
pub struct NativeCapability {
    archive: ProviderArchive,
    verified: Verified<ProviderMetadata>,
    link_name: Option<String>,
    pub(super) source: String,
}

impl NativeCapability {
    /// Fails if the archive is not properly signed or holds no library for this machine. A blank link name is the
    /// default.
    pub fn from_archive(archive: &ProviderArchive, link_name: Option<String>) -> Result<Self> {
        Self::from_named_archive("the given archive", archive, link_name)
    }

    /// The same, with the name of the archive's file for error texts.
    pub fn from_named_archive(source: &str, archive: &ProviderArchive, link_name: Option<String>) -> Result<Self> {
        let verified = archive.verify(source, &Trust::Any, SystemTime::now()).map_err(HostError::Claims)?;
        archive.library(&verified, native_target()).map_err(HostError::Claims)?;
        Ok(Self { archive: archive.clone(), verified, link_name, source: source.to_owned() })
    }

    /// The public key: 56 characters that begin with V.
    pub fn id(&self) -> String {
        self.verified.subject().to_owned()
    }

    pub(super) fn key(&self) -> ProviderKey {
        ProviderKey::new(self.verified.subject(), self.link_name.as_deref())
    }

    /// Checks everything again, with the host's trust, and returns the library that passed.
    pub(super) fn verify(&self, trust: &Trust) -> Result<(Verified<ProviderMetadata>, &[u8])> {
        let verified = self.archive.verify(&self.source, trust, SystemTime::now()).map_err(HostError::Claims)?;
        let library = self.archive.library(&verified, native_target()).map_err(HostError::Claims)?;
        Ok((verified, library))
    }
}
