//! Write a provider: implement [`Provider`], name it in [`export!`], compile it as a `cdylib`.
//!
//! ```
//! use cofferdam_provider::{Call, Failure, Host, Link, Provider, Reply};
//!
//! struct Echo;
//!
//! impl Provider for Echo {
//!     const NAME: &'static str = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
//!     const CONCURRENCY: u32 = 4;
//!
//!     fn create(_host: Host) -> Result<Self, Failure> {
//!         Ok(Self)
//!     }
//!     fn bind(&self, _link: &Link<'_>) -> Result<(), Failure> {
//!         Ok(())
//!     }
//!     fn unbind(&self, _actor: &str) {}
//!     fn handle(&self, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Failure> {
//!         match call.operation() {
//!             "Echo" => reply.write(call.payload()),
//!             other => Err(Failure::unknown_operation(other)),
//!         }
//!     }
//! }
//!
//! cofferdam_provider::export!(Echo);
//! ```
//!
//! A provider runs in a process of its own that has no authority: no network, no files. What it needs it asks of its
//! [`Host`], which checks what the operator granted. A panic in any method becomes an error of that call and the
//! provider lives on; a crash ends this process only, and the host starts another and binds its links again.
//!
//! Start reading at [`Provider`]. This crate holds the only `unsafe` a provider needs, and no policy.
#![deny(unsafe_code)]

mod call;
mod completions;
mod export;
mod failure;
mod host;
mod provider;
mod raw;
#[cfg(feature = "tokio")]
pub mod tokio;

pub use call::{Call, Link, Reply};
pub use completions::{Completion, Completions};
pub use export::__export;
pub use failure::{CallError, Failure};
pub use host::{Access, Host, Level, Request, monotonic_deadline};
pub use provider::Provider;

#[doc(hidden)]
pub use cofferdam_abi as __abi;
