//! The command as people and scripts use it: the built program, on real files, with what it printed as golden files.

#![allow(clippy::unwrap_used)]

mod crashes;
mod files;
mod help;
mod hosting;
mod running;
#[path = "../../../library/tests/library/sample.rs"]
mod sample;
mod session;
