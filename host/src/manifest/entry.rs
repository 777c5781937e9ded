//! What a manifest lists. Plain data; the values of links may be secrets, so no text made here ever holds one.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::words::{ActorLimits, Grants, LinkKey, ProviderLimits};

use super::{RestartEntry, Source, SourceError};

/// The section `host`: what a flag or the environment may also say, and then wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostSection {
    /// The lattice's namespace; also the name of the host's socket and state directory.
    pub namespace: Option<String>,
    /// The public keys (`A…`) of the issuers that are trusted. None: any issuer is.
    pub trust: Vec<String>,
    /// The public keys (`A…`) of the issuers whose actors run unmetered.
    pub unmetered_issuers: Vec<String>,
    /// Where the host keeps what it must not forget. Absolute: a relative one started from the manifest's folder.
    pub state_dir: Option<PathBuf>,
}

/// One actor to start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActorEntry {
    /// A path or a registry reference.
    pub image_ref: String,
    /// Its limits, where they differ from the host's.
    pub limits: Option<ActorLimitsEntry>,
}

/// The limits of one actor; what is `None` is left to the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActorLimitsEntry {
    /// Linear memory of one instance, in bytes.
    pub memory_bytes_max: Option<u64>,
    /// Entries of one table.
    pub table_elements_max: Option<u32>,
    /// Instances at once, which is calls at once.
    pub instances_max: Option<u32>,
}

/// One provider to start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CapabilityEntry {
    /// A path or a registry reference.
    pub image_ref: String,
    /// The link name it runs under; `None` is the default one.
    pub link_name: Option<String>,
    /// What it is granted. `None` leaves it to link values and what its archive states; empty grants take that away.
    pub grants: Option<Grants>,
    /// Its limits, where they differ from the host's.
    pub limits: ProviderLimits,
    /// How it is restarted, where that differs from the host's.
    pub restart: RestartEntry,
    /// How much of each payload in flight the reports of its deaths hold.
    pub crash_payload_bytes_max: u32,
}

/// One link of an actor to a provider.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct LinkEntry {
    /// The actor's public key, `M…`.
    pub actor: String,
    /// The provider's public key, `V…`.
    pub provider_id: String,
    /// The contract, such as `wasmcloud:keyvalue`.
    pub contract_id: String,
    /// The link name; `None` is the default one.
    pub link_name: Option<String>,
    /// What the provider is told when the actor is bound. May hold secrets.
    pub values: BTreeMap<String, String>,
}

impl ActorEntry {
    /// Where the module is. See [`Source::of`].
    ///
    /// # Errors
    ///
    /// When it looks like a path and no file is there.
    pub fn source(&self, base_dir: &Path) -> Result<Source, SourceError> {
        Source::of(&self.image_ref, base_dir, &|path| path.is_file())
    }
}

impl ActorLimitsEntry {
    /// These limits, and `host`'s where there are none.
    pub fn over(&self, host: ActorLimits) -> ActorLimits {
        ActorLimits {
            memory_bytes_max: self.memory_bytes_max.unwrap_or(host.memory_bytes_max),
            table_elements_max: self.table_elements_max.unwrap_or(host.table_elements_max),
            instances_max: self.instances_max.unwrap_or(host.instances_max),
            ..host
        }
    }
}

impl CapabilityEntry {
    /// Where the archive is. See [`Source::of`].
    ///
    /// # Errors
    ///
    /// When it looks like a path and no file is there.
    pub fn source(&self, base_dir: &Path) -> Result<Source, SourceError> {
        Source::of(&self.image_ref, base_dir, &|path| path.is_file())
    }
}

impl LinkEntry {
    /// What the link is kept under: a manifest has one link for each.
    pub fn key(&self) -> LinkKey {
        LinkKey::new(&self.actor, &self.contract_id, self.link_name.as_deref())
    }
}

/// The names of the values, and never what they hold.
impl fmt::Debug for LinkEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Names<'a>(&'a BTreeMap<String, String>);
        impl fmt::Debug for Names<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_map().entries(self.0.keys().map(|name| (name, format_args!("…")))).finish()
            }
        }
        f.debug_struct("LinkEntry")
            .field("actor", &self.actor)
            .field("provider_id", &self.provider_id)
            .field("contract_id", &self.contract_id)
            .field("link_name", &self.link_name)
            .field("values", &Names(&self.values))
            .finish()
    }
}
