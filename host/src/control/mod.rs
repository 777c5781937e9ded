//! The operator's socket: how a person, a script or `cofferdam ps` talks to a running host.
//!
//! One JSON line asks, one JSON line answers, over a local socket that only its owner (and root) can open. The server
//! knows the host only as [`Operations`], which `host.rs` implements; the client is what the command line uses. Neither
//! ever carries a link's values, a seed or a token, and no wait here is without a deadline, no line without a bound.
//!
//! Start reading at [`protocol`], the words; then `server.rs`, and `server/place.rs` for who may own the socket's path.

mod client;
mod error;
mod explain;
mod line;
pub mod paths;
pub mod protocol;
mod provider;
mod report;
mod server;

pub use client::Client;
pub use error::{ClientError, ServerError};
pub use explain::{AuthorityReport, ExplainReport, ExplainRequest, GroupReport, LimitsReport, RunningReport};
pub use protocol::{CallRequest, ErrorReport};
pub use provider::{ProviderAct, ProviderRequest};
pub use report::{ActorReport, LinkReport, ProviderReport, PsReport};
pub use server::{Operations, Server, ServerLimits, Who};

#[cfg(test)]
mod tests;
