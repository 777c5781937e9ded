//! The harness of the system tests: real hosts, real shims, real actors, on loopback and in temporary directories.
//!
//! What is tested lives in `system/`; nothing here checks anything.
#![forbid(unsafe_code)]

pub mod artifacts;
pub mod cgroups;
pub mod elsewhere;
pub mod golden;
pub mod http;
pub mod log;
pub mod lures;
pub mod payload;
pub mod process;
pub mod registry;
pub mod rig;

pub use rig::Rig;
