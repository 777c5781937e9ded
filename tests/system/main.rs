//! System tests: what the project promises, seen from outside.
#![forbid(unsafe_code)]

mod faults;
mod policy;
mod recovery;
mod seed;
