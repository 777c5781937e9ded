//! Actors: WebAssembly modules that compute, and ask for everything else by `__host_call`.
//!
//! [`ActorRuntime::load`] checks, compiles and starts a module; [`ActorModule`] answers invocations on the caller's own
//! thread, on as many instances at once as its limits allow. A guest that traps, loops, or breaks the protocol costs
//! its own call an error, by the deadline of that call; the next call gets another instance. A guest without a meter can't
//! be stopped: it runs on threads apart from its callers.
//!
//! Start reading at `instances.rs` (the life of a call), then `instance.rs`, then `meter.rs` (how a guest is stopped) and
//! `apart.rs` (what becomes of one that can't be).
//! This module knows neither claims nor providers: what a guest asks for goes to [`Outbound`], and nothing here may
//! import another module of the host but the words.
//! `unsafe` is allowed in five of its files, each for one reason that it states.
#![deny(unsafe_code)]

mod apart;
mod cache;
mod clock;
mod compile;
mod error;
mod gate;
mod guest;
mod imports;
mod instance;
mod instances;
mod janitor;
mod log;
mod meter;
mod module;
mod pool;
mod runaways;
mod shape;
mod wapc;
mod wasi;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

pub use error::ActorError;
pub use module::ActorModule;

use crate::words::{ActorLimits, CallLimits, Metering, Outbound, WasmCloudEntity};

/// Configuration of the [`ActorRuntime`].
#[derive(Clone, Debug, Default)]
pub struct ActorRuntimeConfig {
    /// Where compiled modules are kept; without, every load compiles.
    pub cache: Option<ArtifactCacheConfig>,
}

/// Where compiled modules are kept.
#[derive(Clone)]
pub struct ArtifactCacheConfig {
    /// A directory of our own: made with mode 0700 if it does not exist.
    pub dir: PathBuf,
    /// Authenticates the artifacts, which are native code. Secret, and the same at the next start.
    pub key: [u8; 32],
}

impl std::fmt::Debug for ArtifactCacheConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArtifactCacheConfig").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// What actors have in common. One per host.
#[derive(Debug)]
pub struct ActorRuntime {
    cache: Option<cache::ArtifactCache>,
    shared: module::Shared,
}

/// An actor to load. The caller has verified its claims.
#[derive(Debug)]
pub struct ActorSpec<'a> {
    /// Who it is, as the origin of its calls.
    pub entity: WasmCloudEntity,
    /// Its name, for the log.
    pub name: String,
    /// The module.
    pub wasm: &'a [u8],
    /// Whether its code is ended at the deadline.
    pub metering: Metering,
    /// What each instance may use.
    pub limits: ActorLimits,
    /// What each call may use; the time-out bounds the start of an instance at load, too.
    pub call_limits: CallLimits,
}

impl ActorRuntime {
    /// Fails only for a cache directory that is not safe to use.
    pub fn new(config: ActorRuntimeConfig) -> Result<Self, ActorError> {
        let cache = config.cache.map(cache::ArtifactCache::open).transpose()?;
        Ok(Self { cache, shared: module::Shared::default() })
    }

    /// Checks, compiles (or finds compiled) and starts an actor. Blocks for as long as compiling takes.
    pub fn load(&self, spec: ActorSpec<'_>, outbound: Arc<dyn Outbound>) -> Result<ActorModule, ActorError> {
        let compiled = compile::compile(&spec, self.cache.as_ref())?;
        let log = log::GuestLog::new(spec.entity.public_key().to_owned(), spec.name);
        let blueprint = instance::Blueprint {
            entity: Arc::new(spec.entity),
            engine: compiled.engine,
            module: compiled.module,
            shape: compiled.shape,
            limits: spec.limits,
            payload_bytes_max: spec.call_limits.payload_bytes_max,
            outbound,
            log: Arc::new(log),
        };
        ActorModule::start(blueprint, spec.call_limits, spec.metering, &self.shared)
    }
}
