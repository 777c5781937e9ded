//! How host and shim exchange bytes: what the protocol crate defines, made to move.
//!
//! Three sockets join a host to a shim, all of them made by the host and inherited or passed, never named:
//! `control`, for what is rare ([`control`], with descriptors by [`descriptors`]); `down`, on which the host calls the
//! provider; and `up`, on which the provider calls actors. `down` and `up` are one and the same thing in opposite
//! directions: a [`Client`] asks at one end, a [`Service`] answers at the other.
//!
//! [`socket`] is the portable tier, always there. It knows neither claims, links nor actors; the peer is hostile, so
//! whatever breaks the grammar ends the connection with a typed reason and costs nobody else anything.
//!
//! Start reading at [`Client`].
#![deny(unsafe_code)]

mod alarm;
mod answer;
mod broken;
mod cancelled;
pub mod control;
mod deadline;
pub mod descriptors;
pub mod lane;
mod leadership;
mod patience;
mod running;
mod server;
mod serving;
pub mod socket;
mod tier;
mod workers;

pub use answer::Answer;
pub use broken::{Broken, OnBroken};
pub use cancelled::Cancelled;
pub use cofferdam_protocol as protocol;
pub use deadline::Deadline;
pub use server::{Server, ServerConfig};
pub use tier::{CallFailure, Client, Completed, Completions, Incoming, LoopClient, Outgoing, Service};
