//! System tests: what the project promises, seen from outside.
#![forbid(unsafe_code)]

mod audit;
mod cgroups;
mod contracts;
mod crashes;
mod deadlines;
mod escape;
mod faults;
mod full_disk;
mod grants;
mod host_death;
mod http_loops;
mod https;
mod lifecycle;
mod matrix;
mod mending;
mod metering;
mod peers;
mod policy;
mod recovery;
mod registry;
mod seed;
mod specification;
mod supervision;
mod swapped;
mod torture;
