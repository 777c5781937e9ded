//! The channel between host and shim.
#![deny(unsafe_code)]

mod deadline;

pub use deadline::Deadline;
