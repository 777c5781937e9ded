//! An actor that may be started: a signed module.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use cofferdam_claims::{ActorMetadata, Claims, Trust, Verified, read_module, verify_actor};

use super::{HostError, Result};
use crate::words::ActorLimits;

/// A signed module. Its signature, times and hash have been checked; whether its issuer is trusted is the host's to
/// decide when it is started.
#[derive(Clone)]
pub struct Actor {
    pub(super) wasm: Arc<[u8]>,
    pub(super) source: String,
    pub(super) limits: Option<ActorLimits>,
    /// Whether `source` is a reference to a registry.
    pub(super) from_registry: bool,
    verified: Verified<ActorMetadata>,
}

impl Actor {
    /// Reads a signed module from memory.
    pub fn from_slice(wasm: &[u8]) -> Result<Self> {
        Self::new("the given module", wasm.into())
    }

    /// Reads a signed module from a file.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let wasm = read_module(path).map_err(HostError::Claims)?;
        Self::new(&path.display().to_string(), wasm.into())
    }

    pub(super) fn new(source: &str, wasm: Arc<[u8]>) -> Result<Self> {
        let verified = verify_actor(source, &wasm, &Trust::Any, SystemTime::now()).map_err(HostError::Claims)?;
        Ok(Self { wasm, source: source.to_owned(), limits: None, from_registry: false, verified })
    }

    /// Other limits than the host's.
    #[must_use]
    pub fn with_limits(mut self, limits: ActorLimits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// The public key: 56 characters that begin with M.
    pub fn public_key(&self) -> String {
        self.verified.subject().to_owned()
    }

    /// Its name, or "Unnamed".
    pub fn name(&self) -> String {
        self.verified.metadata().name.clone().unwrap_or_else(|| "Unnamed".to_owned())
    }

    /// The account that signed it.
    pub fn issuer(&self) -> String {
        self.verified.issuer().to_owned()
    }

    /// The contracts that it may call.
    pub fn capabilities(&self) -> Vec<String> {
        self.verified.metadata().capabilities().to_vec()
    }

    /// Its tags.
    pub fn tags(&self) -> Vec<String> {
        self.verified.metadata().tags.clone().unwrap_or_default()
    }

    /// All of its claims.
    pub fn claims(&self) -> Claims<ActorMetadata> {
        self.verified.claims().clone()
    }

    /// Checks everything again, with the host's trust, at the moment it is started.
    pub(super) fn verify(&self, trust: &Trust) -> Result<Verified<ActorMetadata>> {
        verify_actor(&self.source, &self.wasm, trust, SystemTime::now()).map_err(HostError::Claims)
    }
}

impl std::fmt::Debug for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Actor").field("public_key", &self.public_key()).field("source", &self.source).finish()
    }
}
