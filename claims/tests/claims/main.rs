//! What `claims` accepts and refuses. One table of bad files for actors and one for archives (with golden texts), the
//! real actors of the ecosystem, both directions of interoperability, and random bytes at every parser.

#![allow(clippy::unwrap_used)]

mod archives;
mod build;
mod interop;
mod keys;
mod modules;
mod random;
