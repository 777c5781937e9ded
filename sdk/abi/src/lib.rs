//! The C ABI between the shim and a provider's library, version 1.
//!
//! This crate is the Rust spelling of `include/cofferdam_provider.h`, which a test compares with it, layout by layout.
//! It has no dependencies, no code and no allocation, and must never have any: whatever is here can't be changed
//! after a release, only succeeded by a `v2` beside it.
//!
//! A library exports one *data* symbol, [`ENTRY_SYMBOL`], a [`ProviderV1`]. It begins with version and size, so that
//! the shim decides whether it can talk to the library before it calls anything in it.
//!
//! # Ownership and threads, in short
//!
//! * A [`Slice`] is borrowed, valid until the function it was passed to returns.
//! * Answers are written into a [`Sink`], whose memory belongs to whoever passed it.
//! * A descriptor that the host hands over belongs to the provider, which closes it.
//! * `create` and `destroy` are called once. `bind`, `unbind`, `handle`, `health` and `shutdown` are called from
//!   several threads at once, `handle` at most `concurrency` times at once.
//! * Every function of [`HostV1`] may be called from any thread until `destroy` returns.
//! * No function may unwind. The Rust SDK catches panics and answers [`Status::PANICKED`].
#![no_std]
#![deny(unsafe_code)]

mod host;
mod provider;
mod types;

pub use host::{Access, Completions, HostV1, Level, Request};
pub use provider::{Call, Exported, Link, ProviderV1, Value};
pub use types::{Sink, Slice, Status};

/// The version of this ABI: the first field of [`ProviderV1`] and of [`HostV1`].
pub const ABI_VERSION: u32 = 1;

/// The data symbol that a provider's library exports, without the terminating zero.
pub const ENTRY_SYMBOL: &str = "cofferdam_provider_v1";
