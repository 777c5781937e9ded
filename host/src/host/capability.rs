//! A provider that may be started: an archive, and the link name to run it under.

use cofferdam_claims::{ProviderArchive, ProviderMetadata, Trust, Verified, native_target};

use std::time::SystemTime;

use super::{HostError, Result};
use crate::words::{CRASH_PAYLOAD_BYTES_MAX, Grants, ProviderKey, ProviderLimits, RestartPolicy};

/// An archive to run under a link name. Its signature, times and hashes have been checked; whether its issuer is trusted
/// is the host's to decide when it is started.
#[derive(Clone, Debug)]
pub struct NativeCapability {
    archive: ProviderArchive,
    verified: Verified<ProviderMetadata>,
    link_name: Option<String>,
    pub(super) source: String,
    /// Whether `source` is a reference to a registry.
    pub(super) from_registry: bool,
    pub(super) grants: Option<Grants>,
    pub(super) limits: ProviderLimits,
    /// How it is restarted, where that differs from the host's.
    pub(super) restart: Option<RestartPolicy>,
    pub(super) crash_payload_bytes_max: u32,
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
        let (archive, source, limits) = (archive.clone(), source.to_owned(), ProviderLimits::default());
        let (grants, restart, crash_payload_bytes_max) = (None, None, 0);
        let from_registry = false;
        let made = Self {
            archive,
            verified,
            link_name,
            source,
            from_registry,
            grants,
            limits,
            restart,
            crash_payload_bytes_max,
        };
        Ok(made)
    }

    /// Grants it something of the world, and nothing beyond that: what it needs and is not among these, it does not get.
    /// Unless this is called, it gets the addresses that the values of its links make of what its archive states.
    #[must_use]
    pub fn with_grants(mut self, grants: Grants) -> Self {
        self.grants = Some(grants);
        self
    }

    /// Bounds what it may use up, where that differs from the host's limits.
    #[must_use]
    pub fn with_limits(mut self, limits: ProviderLimits) -> Self {
        self.limits = limits;
        self
    }

    /// How this provider is restarted, instead of the host's policy.
    #[must_use]
    pub fn with_restart_policy(mut self, restart: RestartPolicy) -> Self {
        self.restart = Some(restart);
        self
    }

    /// Has the reports of its deaths hold the first bytes of what was passed in each call in flight, at most
    /// [`CRASH_PAYLOAD_BYTES_MAX`] of each. Payloads may be secrets, and reports lie on the disk: 0, the default, is none.
    #[must_use]
    pub fn with_crash_payloads(mut self, bytes_max: u32) -> Self {
        self.crash_payload_bytes_max = bytes_max.min(CRASH_PAYLOAD_BYTES_MAX);
        self
    }

    /// The public key: 56 characters that begin with V.
    pub fn id(&self) -> String {
        self.verified.subject().to_owned()
    }

    pub(super) fn key(&self) -> ProviderKey {
        ProviderKey::new(self.verified.subject(), self.link_name.as_deref())
    }

    pub(super) fn issuer(&self) -> &str {
        self.verified.issuer()
    }

    /// What it says of itself, and the hash of its library for this machine.
    pub(super) fn identity(&self) -> (&ProviderMetadata, &str) {
        let metadata = self.verified.metadata();
        (metadata, metadata.target_hashes.get(native_target()).map_or("", String::as_str))
    }

    /// Checks everything again, with the host's trust, and returns the library that passed.
    pub(super) fn verify(&self, trust: &Trust) -> Result<(Verified<ProviderMetadata>, &[u8])> {
        let verified = self.archive.verify(&self.source, trust, SystemTime::now()).map_err(HostError::Claims)?;
        let library = self.archive.library(&verified, native_target()).map_err(HostError::Claims)?;
        Ok((verified, library))
    }
}
