//! What is left of this process when a signal ends it, and, in another shim, what that says.
//!
//! [`watch`] installs a handler that writes a record (`cofferdam_protocol::crash`) into a pipe of the host's: signal,
//! registers, what was loaded, and the end of the stack. [`explain()`] turns the record of a process that died into a
//! backtrace. It reads unwind tables and debug information of a library that may be hostile, which can take any time and
//! memory; so it runs in a shim of its own, confined like any other, with a deadline that the host keeps.
//!
//! Nothing of this is a proof: the library shares the process with the handler.

mod explain;
mod files;
mod handler;
mod memory;
mod stack;
mod symbols;

pub(crate) use explain::explain;
pub(crate) use handler::watch;
pub(crate) use stack::with_second_stack;
