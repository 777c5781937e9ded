//! Actors and provider archives in OCI registries: fetched and put there by reference, and kept in a cache.
//!
//! What is fetched is what its digest says, always: it is hashed on its way to the disk and each time it is read again. A
//! digest says nothing of who made the bytes. That is for the claims in them, which the host checks as it does those of
//! a file; so this crate trusts a registry with no more than being there, and knows nothing of claims.
//!
//! No password, token or address with a query in it is in any error, log or `Debug` output of this crate.
//!
//! Start reading at [`Registry`] (`registry.rs`); then `pull.rs` and `push.rs`, which are told in order.
#![forbid(unsafe_code)]

mod cache;
mod config;
mod credentials;
mod digest;
mod docker_config;
mod error;
mod index;
mod media;
mod progress;
mod pull;
mod push;
mod reference;
mod registry;
mod retry;
mod transfer;
mod wire;

pub use cache::{Cache, CacheError};
pub use config::{Latest, Offline, RegistryConfig, SizeLimits};
pub use credentials::{Credentials, CredentialsError, Login};
pub use digest::{Digest, NotADigest};
pub use error::{Fault, RegistryError, Whose};
pub use media::{Kind, Wanted};
pub use progress::{Progress, Silent};
pub use pull::{Origin, Pulled};
pub use push::Pushed;
pub use reference::{Reference, ReferenceError, Version};
pub use registry::Registry;
pub use retry::RetryPolicy;
