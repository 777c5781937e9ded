//! System tests: what the project promises, seen from outside.
#![forbid(unsafe_code)]

mod contracts;
mod deadlines;
mod escape;
mod faults;
mod full_disk;
mod host_death;
mod lifecycle;
mod mending;
mod policy;
mod recovery;
mod seed;
