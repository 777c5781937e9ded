//! The lane tier: calls in memory that both sides map. A lane is one call in flight: a word that says how far it is, and a
//! slab with its bytes. A caller waits at its own lane, so nobody sorts answers; the callee waits at one bell for all.

mod claims;
mod client;
mod futex;
mod layout;
mod mailbox;
mod mailboxes;
mod notes;
mod post;
mod processor;
mod region;
mod server;
mod splitting;
mod turns;
mod wear;
mod word;

pub use client::LaneClient;
pub use layout::{CLASSES_MAX, Class, LANES_MAX, Layout, MAILBOXES_MAX};
pub use mailboxes::{LaneLoopClient, OpenMailbox};
pub use region::Region;
pub use server::serve;
