//! Who made an actor or a provider, what it may do, and whether it is what was signed.
//!
//! An actor is a WebAssembly module with a token in its custom section `jwt`; a provider is an archive with a token in
//! `claims.jwt` and one library for each target. The token is a JWT signed with Ed25519 by an *account* (`A…`, its
//! issuer) about an *actor* (`M…`) or a *provider* (`V…`, its subject), and it holds the hash of what was signed.
//!
//! ```
//! use std::time::SystemTime;
//! use cofferdam_claims::{ActorClaims, KeyKind, Trust, sign_actor, verify_actor};
//!
//! let (account, actor) = (KeyKind::Account.generate(), KeyKind::Actor.generate());
//! let request = ActorClaims {
//!     name: "Echo".to_owned(),
//!     caps: vec!["wasmcloud:httpserver".to_owned()],
//!     ..ActorClaims::default()
//! };
//! let signed = sign_actor("echo.wasm", b"\0asm\x01\0\0\0", request, &account, &actor)?;
//!
//! let trust = Trust::only([account.public_key()])?;
//! let verified = verify_actor("echo.wasm", &signed, &trust, SystemTime::now())?;
//! assert_eq!(verified.subject(), actor.public_key());
//! assert!(verified.metadata().has_capability("wasmcloud:httpserver"));
//!
//! // Anybody can sign with an account of their own, which is why issuers are trusted by name.
//! let others = Trust::only([KeyKind::Account.generate().public_key()])?;
//! let refused = verify_actor("echo.wasm", &signed, &others, SystemTime::now()).unwrap_err();
//! assert_eq!(refused.check().as_str(), "issuer");
//! assert!(refused.next_step().contains("host.trust"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is checked
//!
//! In this order, and the first failure decides: the form of the file, that there is exactly one token, its form and
//! algorithm, the kinds of its keys, the **signature**, the **time**, whether the **issuer is trusted**, and last the
//! **hash**, which is always compared. [`Verified`] is the proof of it: nothing else makes one. [`inspect_actor`] and
//! [`ProviderArchive::inspect`] make every check and list the outcomes, for people.
//!
//! # What others read and write
//!
//! Tokens carry `caps` and `capid`, which wascap dropped after 0.13. An actor signed here is read by wascap 0.6 to 0.16
//! when its module is plain enough for that version; the section `wasmcloud_jwt` of later versions is read here. An
//! archive written here is read by `provider-archive` 0.4 to 0.16. One written by 0.16 can be read, and is refused by
//! `verify` for its missing contract only. Archives with a WIT world are refused. The `needs` of a provider are ours, and
//! others ignore them.
//!
//! # What this crate must never do
//!
//! Reach for the network, know the host, print, put a seed into an error, or take memory because a length in a file says
//! so. Files are opened only by `files.rs`, for `load_seed`, `save_seed`, `read_module`, `try_load_file` and `write`, and for
//! whoever calls `open_file` or `replace_file`; a pipe or a device is never read.
//!
//! Start reading at `token.rs`, the checks; then `wasm.rs` and `archive/read.rs`, the two parsers.

#![forbid(unsafe_code)]

mod actor;
mod archive;
mod error;
mod files;
mod keys;
mod metadata;
mod needs;
mod token;
mod trust;
mod wasm;

pub use actor::{
    ActorClaims, MODULE_BYTES_MAX, inspect_actor, module_code, module_hash, read_module, sign_actor, verify_actor,
};
pub use archive::{ArchiveLimits, Packing, ProviderArchive, WriteOptions, native_target};
pub use error::{Bearer, Check, ClaimsError, Fault, deceives, printable, unreadable, unwritable};
pub use files::{NotAFile, is_not_a_file, open_file, replace_file};
pub use keys::{KeyError, KeyKind, from_seed, load_seed, save_seed};
pub use metadata::{ActorMetadata, ProviderMetadata, normalize_call_alias};
pub use needs::{AddressHalves, NeededAccess, NeededAddress, NeededPath, Needs};
pub use nkeys::KeyPair;
pub use token::{Inspection, TOKEN_BYTES_MAX, Validity, Verified};
pub use trust::{Accounts, Trust};
pub use wascap::jwt::Claims;
