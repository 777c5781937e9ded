//! The bytes between host and shim. `docs/protocol.md` states the same grammar in prose, byte by byte.
//!
//! Pure: no I/O, no clock, no type of the host. Everything here is read from a peer that may be hostile, so every
//! parser checks a length before it believes it, and none can panic (property tests try).
//!
//! * [`Preface`] and the hellos are fixed bytes, readable by every version for ever.
//! * After them, everything is a frame: [`frame`] says how long, [`control`] and [`call`] say what is in it.
//! * [`crash`] is what a process leaves in its pipe when a signal ends it.
//! * Only [`codec`] knows that headers are bincode.
#![forbid(unsafe_code)]

pub mod call;
mod codec;
mod confinement;
pub mod control;
pub mod crash;
mod error;
pub mod frame;
mod hello;
pub mod limits;
mod preface;

pub use confinement::Confinement;
pub use error::DecodeError;
pub use hello::{HELLO_BYTES, HostHello, ShimHello};
pub use preface::{Agreed, Features, PREFACE_BYTES, Preface, Side, VERSION_MAX, VERSION_MIN};
