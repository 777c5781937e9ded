//! cofferdam's host as a library: runs signed WebAssembly actors and native providers, and brokers every call between
//! them. Each provider runs in a process of its own.
//!
//! Start with [`HostBuilder`]. Inside, the layers import only downwards: [`words`]; then what is pure, [`policy`],
//! [`links`], [`manifest`], [`router`] and [`supervision`]; then reports of [`crash`]es; then the
//! world, [`actor`], [`provider`], [`broker`], [`extras`], [`control`] and [`audit`]; and on top [`host`], which alone
//! knows them all.
#![deny(unsafe_code)]

pub mod actor;
pub mod audit;
pub mod broker;
pub mod control;
pub mod crash;
pub mod extras;
pub mod grants;
pub mod host;
pub mod links;
pub mod manifest;
pub mod policy;
pub mod provider;
pub mod router;
pub mod supervision;
pub mod words;

pub use cofferdam_claims::{Accounts, ActorMetadata, Claims, Needs, ProviderArchive, ProviderMetadata, Trust};
pub use cofferdam_registry::{Credentials, Login, RegistryError};
pub use host::{
    Actor, Diagnosis, Host, HostBuilder, HostError, Measure, NativeCapability, Result, diagnose, explain_packaged,
};
pub use manifest::HostManifest;
pub use policy::Authorizer;
pub use provider::{Sandbox, Tier};
pub use words::{ActorLimits, CRASH_PAYLOAD_BYTES_MAX, CallError, CallLimits, SYSTEM_ACTOR, WasmCloudEntity};
